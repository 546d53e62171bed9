// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "policy/interval.hpp"
#include "policy/policy.hpp"
#include "policy/values.hpp"

namespace ckpt {

// What is known of a job when the time of its next checkpoint is chosen.
struct ScheduleFacts {
    Interval interval;    // of the plan, or of a step
    Seconds last_cost{0}; // pause of the newest checkpoint, rounded up; 0 = none yet
    std::uint32_t nodes = 1;
    std::uint32_t job_id = 0;
    std::uint32_t generation = 0; // number of the newest, whether or not it was saved; 0 = there is none
    Seconds since_start{0};       // of this run
    Seconds allowance{0};         // from the start of this run to its time limit; 0 = not known
    Seconds until_last{0};        // the last checkpoint before the time limit begins then; 0 = there is none
};

// When the next checkpoint is taken, and what that comes from. `delay` zero: none is due by time.
struct Schedule {
    enum class Rule : std::uint8_t {
        none,      // there are no periodic ones
        too_short, // the whole run is shorter than auto.min_run_time
        first,     // the job's first one, auto.first after its start
        interval,
        aligned, // an equal part of the time until the last one before the time limit
        last     // that one comes first
    } rule = Rule::none;
    AutoInterval automatic;  // of interval auto
    Seconds interval{0};     // before alignment and jitter
    std::uint32_t parts = 0; // of `aligned`: into how many the time until the last one is divided
    Seconds jitter{0};       // taken away
    Seconds delay{0};
};

// An interval is never made longer by alignment, nor does alignment cost a checkpoint more: the time until
// the last one is divided into the fewest equal parts that are not longer than the interval, where without it
// a whole interval's checkpoint could come just before the last one. Jitter, always the same for one
// checkpoint of one job, keeps jobs apart that have started together, as the elements of an array have. No
// part is shorter than limits.min_interval, but for the first checkpoint.
Schedule next_checkpoint(const ScheduleFacts& facts, const PolicyAuto& policy, Seconds min_interval);

} // namespace ckpt
