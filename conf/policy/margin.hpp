// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "policy/policy.hpp"
#include "policy/values.hpp"

namespace ckpt {

// Rates that are taken while none has been measured: low ones, as a checkpoint that comes too early costs
// some run time and one that comes too late costs the job's last hours.
constexpr double k_unmeasured_dump_bytes_per_s = 200e6;
constexpr double k_unmeasured_commit_bytes_per_s = 50e6;

// What is known of a job's checkpoints when the time for its last one is chosen.
struct CheckpointCost {
    std::uint64_t bytes = 0;       // resident memory now, or the newest images if they were larger
    double dump_bytes_per_s = 0;   // measured on this job, else on this node; 0 = not yet
    double commit_bytes_per_s = 0; // likewise
};

// How long before its time limit a job has to be dumped so that the checkpoint is in the store and the job
// requeued when the limit comes. `allowance` is the time from the start of this incarnation to its limit:
// never more than half of it, so that every incarnation gets on; zero and less = unknown. Rounded up to whole
// seconds, at least one, of however short an allowance, and at most a year.
Seconds time_limit_margin(const CheckpointCost& cost, const PolicyTimeLimit& policy, Seconds allowance);

} // namespace ckpt
