// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>

namespace ckpt {

// How the shim ends, so that slurmstepd sees what it would have seen of the application.
struct Ending {
    bool by_signal = false;
    int number = 0; // exit code or signal
};

Ending ending_of(int wait_status);

// What is known when the tree is gone.
struct TreeEnd {
    std::optional<int> wait_status; // from the status pipe; none: the whole tree was killed
    bool ordered_to_leave = false;  // ckptd said so before: a generation is safe
    bool term_held = false;         // a SIGTERM that was never delivered
};

// A tree that ckptd ended after its last checkpoint ends as Slurm's SIGTERM would have ended it.
Ending ending_of(const TreeEnd& end);

// Does not return. A signal is taken with its default action and without a core: the application has written
// its own.
[[noreturn]] void end_as(Ending ending);

} // namespace ckpt
