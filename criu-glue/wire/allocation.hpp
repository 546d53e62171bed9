// SPDX-License-Identifier: GPL-2.0-or-later
// An allocation of salloc has no script. A step of one task stands for it: it runs srun's stand-in with what
// the user has said to srun, as a script of that one line would (docs/steps.md).
#pragma once

#include <string_view>

namespace ckpt::wire {

// In the environment of an allocation that was made with --checkpoint: "1".
constexpr const char* k_allocation_variable = "SLURM_SPANK_CKPT_ALLOCATION";
// In the environment of a step: it stands for the script. With k_restore it goes on from a checkpoint, and
// must not start from the beginning.
constexpr const char* k_script_variable = "SLURM_CHECKPOINT_SCRIPT";
constexpr const char* k_fresh = "fresh";
constexpr const char* k_restore = "restore";
// Before the names of Slurm's variables as the user's shell has them, in the environment of that step, which
// sets its own.
constexpr const char* k_kept_prefix = "CKPT_KEPT_";

// A value of --checkpoint-restore: JOBID[@GENERATION], and not a word.
inline bool names_a_job(std::string_view restore) {
    return !restore.empty() && restore.front() >= '0' && restore.front() <= '9';
}

} // namespace ckpt::wire
