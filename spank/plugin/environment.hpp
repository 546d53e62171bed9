// SPDX-License-Identifier: GPL-2.0-or-later
// The names under which Slurm carries our options and our own facts from the submitting command to the job,
// and what the submitting command's environment must be freed of or get before Slurm reads it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "given_options.hpp"
#include "options/options.hpp"

namespace ckpt {

// Job control environment (spank_job_control_setenv): kept in the job record across requeues, SPANK_ is put
// before the name in prolog and epilog, SLURM_SPANK_ in the job's own environment (slurm
// src/sbatch/sbatch.c:_set_spank_env).
constexpr const char* k_uuid = "CKPT_UUID";             // 32 hex digits
constexpr const char* k_open_mode = "CKPT_OPEN_MODE";   // k_made_append
constexpr const char* k_made_append = "made-append";    // we changed truncate to append
constexpr const char* k_allocation = "CKPT_ALLOCATION"; // "1": of salloc --checkpoint (docs/steps.md)

// "_SLURM_SPANK_OPTION_checkpoint_checkpoint_interval" (slurm src/common/spank.c:_opt_env_name)
std::string transport_name(const OptionRow& row);

// The name of k_uuid in a job's environment.
std::string uuid_in_job();

// The variables of an outer job that a submission from inside it must not inherit: its options, which Slurm
// would apply to the new job (spank.c:spank_process_env_options), its identity, and its restart count, which
// slurmstepd never unsets (slurm src/common/env.c:setup_env).
std::vector<std::string> inherited_variables();

// {variable, value} for each environment form that is set, in Slurm's own spelling, so that Slurm applies it
// between "#SBATCH" and the command line. `prefix`: "SBATCH_" or "SLURM_". The error names the variable at
// fault.
Result<std::vector<std::pair<std::string, std::string>>> forms_as_transport(std::string_view prefix,
                                                                            const Environment& environment);

// The options that Slurm left in a job's environment for its srun commands. Sbatch --export-file empties its
// environment after the plugin has spoken, and only these survive (sbatch.c:main,_set_spank_env).
GivenOptions options_in_job_environment(const Environment& environment);

// We made Slurm append to the output files, where it would otherwise empty them at each start of the job.
bool made_append(const Environment& task_environment);
// ... and this is the first start, which empties them all the same.
bool must_truncate(const Environment& task_environment);

} // namespace ckpt
