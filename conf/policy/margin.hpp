// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "policy/policy.hpp"
#include "policy/values.hpp"
#include "result/result.hpp"

namespace ckpt {

// Rates that are taken while none has been measured: low ones, as a checkpoint that comes too early costs
// some run time and one that comes too late costs the job's last hours.
constexpr double k_unmeasured_dump_bytes_per_s = 200e6;
constexpr double k_unmeasured_commit_bytes_per_s = 50e6;

// Bytes per second as measured on the job itself and on its node; 0 = not yet.
struct MeasuredRate {
    double job = 0;
    double node = 0;
};

// What is known of a job's checkpoints when the time for its last one is chosen.
struct CheckpointCost {
    std::uint64_t bytes = 0; // resident memory now, or the newest images if they were larger
    MeasuredRate dump;
    MeasuredRate commit; // of the way to storage.base
    Seconds place{0};    // this job's in slurmctld.spread (policy/spread.hpp)
};

// What was predicted of one part of a checkpoint, and from which rate.
struct Predicted {
    enum class From : std::uint8_t { job, node, assumed } from = From::assumed;
    double bytes_per_s = 0;
    double seconds = 0;
};

// How long before its time limit a job has to be dumped so that the checkpoint is in the store and the job
// requeued when the limit comes: `wanted` = safety * (dump + commit) + reserve + place, in whole seconds,
// rounded up and at most a year. `margin` is what is taken: `wanted`, but never more than half the allowance,
// so that every incarnation gets on, and at least one second.
struct LimitMargin {
    Predicted dump;
    Predicted commit;
    Seconds wanted{0};
    Seconds margin{0};
};

// `allowance` is the time from the start of this incarnation to its limit; zero and less = unknown.
LimitMargin limit_margin(const CheckpointCost& cost, const PolicyTimeLimit& policy, Seconds allowance);

// The same for a job whose program saves itself, which nobody can predict: `wanted` = patience + reserve +
// place.
LimitMargin limit_margin(const PolicyApp& app, Seconds place, const PolicyTimeLimit& policy,
                         Seconds allowance);
// What to tell the user who submits such a job with the time limit `limit`: nothing, or that half of it is
// too little. Code::limit_short.
std::optional<Error> short_limit(Seconds limit, const PolicyApp& app, const PolicyTimeLimit& policy);

// What to tell the user who submits a job with the time limit `limit`: nothing, or that half of it may be too
// little for a last checkpoint of `memory` bytes, the most that the job may use; 0 = unknown, which leaves
// the policy's reserve alone. Code::limit_short.
std::optional<Error> short_limit(Seconds limit, std::uint64_t memory, const PolicyTimeLimit& policy);

} // namespace ckpt
