// SPDX-License-Identifier: GPL-2.0-or-later
// What the job's environment says about this start of it, for when ckptd cannot be asked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "wire/app_messages.hpp"

namespace ckpt {

// True when starting from zero could overwrite results. SLURM_RESTART_COUNT says that an earlier incarnation
// of the job exists (slurmstepd sets it in the batch step only and only when it is not 0: slurm
// src/common/env.c:setup_env). A step has it from its srun, and may be a restored one like its job.
bool is_restarted();

// The signal of --checkpoint-signal, 0 = none.
int checkpoint_signal();

// A job that starts from the beginning once more finds its output files empty, as they would be without us:
// the plugin has made Slurm append to them. Pipes and terminals have nothing to empty.
void empty_output_of_earlier_run();

// This task belongs to a step that a stand-in in the job's script has asked for.
struct StepOfScript {
    bool whole_lines = true; // srun was not told --unbuffered
};
// Takes what says so out of the environment: it is not the application's.
std::optional<StepOfScript> take_step_of_script();

// Likewise: slurmstepd writes the time before its messages (exec_error.hpp).
bool take_dated_messages();

// This task is no batch script but stands for one (wire/allocation.hpp). What says so stays: srun's stand-in
// takes it.
bool stands_for_script();
// ... and goes on from a checkpoint: started from the beginning, it would do what nobody has asked for.
bool is_restored_or_nothing();

// What Slurm has set for this incarnation's tasks: "SLURM_…=", "SLURMD_…=".
std::vector<std::string> slurm_variables();

// What the script is told of a program that saves itself (docs/app.md); without `place` nothing, whatever the
// job was submitted with.
void set_app_variables(const std::optional<wire::AppPlace>& place);

} // namespace ckpt
