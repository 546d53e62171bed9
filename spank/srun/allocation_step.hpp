// SPDX-License-Identifier: GPL-2.0-or-later
// srun in an allocation of salloc --checkpoint: becomes the srun of a step that stands for a script, which
// runs what the user has asked for (wire/allocation.hpp).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "result/result.hpp"
#include "srun_options.hpp"

namespace ckpt {

// Of Slurm's "n[03-05,7],m1" the first, "n03"; "" = none.
std::string first_host(std::string_view nodes);

// The user's shell is in such an allocation, and `options` ask for a step that can stand in a script. Where
// neither a command nor a checkpoint is named, the message is srun's affair.
bool is_allocation_step(const SrunOptions& options, std::size_t words);

struct AllocationStep {
    std::vector<std::string> argv; // of the real srun
    std::vector<std::string> environment;
};
// `environment`: of this process. Each such step has an identity of its own in the store. Code::os.
Result<AllocationStep> allocation_step(std::span<const std::string> argv, const SrunOptions& options,
                                       const std::vector<std::string>& environment);

} // namespace ckpt
