// SPDX-License-Identifier: GPL-2.0-or-later
// Which processes of a tree are asked to save themselves (--checkpoint-method=app:SIG).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <vector>

namespace ckpt {

struct AppProcess {
    enum class Kind : std::uint8_t {
        plain,
        // A shell with an EXIT trap catches every signal that would end it (bash sig.c:
        // initialize_terminating_signals): it cannot be told from one that has a trap for this one, too.
        shell_with_exit_trap,
        stand_in, // of srun: the tasks of its step are asked by their own shims, unless who is asked above it
                  // tells them
        srun      // the real one
    };
    pid_t pid = 0;
    pid_t parent = 0;
    Kind kind = Kind::plain;
    bool handles = false; // the signal
    bool operator==(const AppProcess&) const = default;
};

struct AppTargets {
    std::vector<pid_t> asked;
    std::vector<pid_t> stand_ins; // that are below none of those
    std::vector<pid_t> ancestors; // of both, parents before their children
    bool operator==(const AppTargets&) const = default;
};

// The topmost below `root`, which is none itself, that handle the signal: what is below them is theirs to
// tell, as mpirun and a script with a trap do. Of a shell with an EXIT trap those below it are asked rather
// than the shell. A real srun is asked like any other.
AppTargets app_targets(pid_t root, std::span<const AppProcess> processes);

// Whether a real srun passes this signal on to its step. It ends its step for HUP, QUIT and TERM, shows its
// state for INT and ALRM, and dies of what it does not know (slurm src/srun/signals.c:_forward_signal).
bool srun_passes_on(int signal);

// Every signal that a shell with an EXIT trap catches, of those that a program is asked with; bit N-1 =
// signal N.
bool is_caught_as_by_exit_trap(std::uint64_t caught);

} // namespace ckpt
