// SPDX-License-Identifier: GPL-2.0-or-later
// What `sckpt explain` shows: the plan of a job and the arithmetic of its timers, from the same functions
// that the timers use. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "policy/margin.hpp"
#include "policy/resolve.hpp"
#include "wire/messages.hpp"

namespace ckpt {

struct ExplainFacts {
    std::uint32_t nodes = 1;
    Seconds last_cost{0}; // pause of the newest dump, rounded up; 0 = none yet
    CheckpointCost cost;
    std::int64_t end_time = 0; // of the time limit, Unix seconds; 0 = not known
    std::int64_t opened_at = 0;
    std::int64_t now = 0;
};

// Sections in the order plan, interval, time_limit. The latter two are there when such checkpoints are taken.
std::vector<wire::Explained> explain(const Plan& plan, const Policy& policy, const ExplainFacts& facts);

} // namespace ckpt
