// SPDX-License-Identifier: GPL-2.0-or-later
// The hooks behind plugin.cpp, named after what has happened, one file per process they run in.
#pragma once

#include "settings.hpp"
#include "spank_api.hpp"

namespace ckpt {

// hook_submit.cpp: sbatch, salloc, scrontab (allocator context) and srun (local context), as the user
void submit_init(spank_t spank, const Settings& settings);
void submit_options_known(spank_t spank, const Settings& settings);

// hook_job_prolog.cpp, hook_job_epilog.cpp: "slurmstepd spank prolog|epilog", as root
void job_prolog(spank_t spank, const Settings& settings);
void job_epilog(spank_t spank, const Settings& settings);

// hook_step.cpp: slurmstepd before it forks tasks, as root
void step_init(spank_t spank, const Settings& settings);
void step_options_known(spank_t spank, const Settings& settings);

// hook_task.cpp: slurmstepd's main thread as root, except task_init: the task's own process, as the user
void task_forked(spank_t spank, const Settings& settings);
void task_init(spank_t spank, const Settings& settings);
void task_ended(spank_t spank, const Settings& settings);

} // namespace ckpt
