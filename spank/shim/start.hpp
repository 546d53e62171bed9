// SPDX-License-Identifier: GPL-2.0-or-later
// What the task is to become: the fresh application, a restored one, or nothing for now.
#pragma once

#include <array>
#include <string>

#include "ckptd.hpp"

namespace ckpt {

// What this task needs to introduce itself.
struct Introduction {
    std::string script;
    int status_pipe = -1;              // write end
    std::array<int, 3> stdio{0, 1, 2}; // of the tree, in this process
    int state = -1;                    // number of the state file
};

// Asks ckptd. Nothing is running on our behalf yet, so a SIGTERM ends the shim as it would have ended the
// application at its first instruction.
Result<Started> ask_what_to_start(Ckptd& ckptd, const Introduction& introduction);

// For an incarnation after the first when ckptd could not be asked: starting from zero would overwrite the
// results of the earlier one. Has the job held, or waits for ckptd. Returns when ckptd answers after all;
// ends the shim with k_gave_up when neither slurmctld nor ckptd can be reached for k_patience_ms.
Started wait_rather_than_start_over(Ckptd& ckptd, const Introduction& introduction, const Error& why);

// The job was held: waits for Slurm to end it.
[[noreturn]] void wait_to_be_ended();

constexpr int k_gave_up = 75; // EX_TEMPFAIL: the job fails rather than overwrite what it had computed
constexpr int k_patience_ms = 5 * 60 * 1000;

} // namespace ckpt
