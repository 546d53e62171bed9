// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a process that passes data on has passed on all that it has: slurmstepd and srun move a step's
// streams, and do not say what they still hold.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "result/result.hpp"

namespace ckpt {

struct Activity {
    bool at_rest = false; // every thread sleeps, and no TCP connection has bytes on their way
    std::uint64_t switches =
        0; // of all its threads, so far: the same later means that none has run meanwhile
    bool operator==(const Activity&) const = default;
};

// A process whose loop waits in poll(2) only when it has nothing to do is empty when it is at rest twice with
// the same number of switches, and nothing came in between. One that has ended is at rest.
Result<Activity> activity_of(pid_t pid);

} // namespace ckpt
