// SPDX-License-Identifier: GPL-2.0-or-later
// What `sckpt explain` shows: the plan of a job and the arithmetic of its timers, from the same functions
// that the timers use. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/margin.hpp"
#include "policy/resolve.hpp"
#include "policy/schedule.hpp"
#include "wire/messages.hpp"

namespace ckpt {

struct ExplainFacts {
    ScheduleFacts schedule;
    std::int64_t checkpoint_due = 0; // the next periodic one, Unix seconds; 0 = none
    bool switched_off = false;       // sckpt disable
    std::uint32_t saved = 0;         // newest generation from which the job would go on; 0 = none
    std::string last_error;          // why the newest attempt has failed; empty = it has not
    CheckpointCost cost;
    std::int64_t end_time = 0; // of the time limit, Unix seconds; 0 = not known
    std::int64_t opened_at = 0;
    std::int64_t now = 0;
};

// Sections in the order state, plan, interval, next, time_limit. The last three are there when such
// checkpoints are taken.
std::vector<wire::Explained> explain(const Plan& plan, const Policy& policy, const ExplainFacts& facts);

} // namespace ckpt
