// SPDX-License-Identifier: GPL-2.0-or-later
// A step that stands for a script (wire/allocation.hpp) runs srun as the user's shell would have: with
// Slurm's variables as they are there, which srun takes as options, and not as they are in a step.
#pragma once

#include <string>
#include <vector>

namespace ckpt {

// "NAME=value" each. For the srun that starts such a step: Slurm's variables under other names, but for those
// by which it finds the job, and ours.
std::vector<std::string> keep_slurm_variables(const std::vector<std::string>& environment);

// The other way round, in the step: what Slurm has set there gives way to what was kept.
std::vector<std::string> give_back_slurm_variables(const std::vector<std::string>& environment);

} // namespace ckpt
