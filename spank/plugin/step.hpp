// SPDX-License-Identifier: GPL-2.0-or-later
// What the hooks of one slurmstepd have in common.
#pragma once

#include <cstdint>
#include <optional>

#include "spank_api.hpp"

namespace ckpt {

// The kinds of steps. Managed are the batch step, the normal step that stands for a script in an allocation,
// and the normal steps that either has asked for through srun's stand-in; the others are left as they are.
enum class StepKind : std::uint8_t { batch, normal, interactive, external };
StepKind kind_of(spank_t spank);

// Decided in init_post_opt, valid for this slurmstepd and the tasks it forks: the step is ours.
bool is_managed();
void set_managed(bool managed);

// The job's environment as it is at this moment of the step; the value lives until the next call.
const char* job_variable(spank_t spank, const char* name);

// The stand-in that has asked for this step (wire::k_stand_in_variable); the batch script's shim has said so.
// A user may have said it as well, and gets a step that is part of no script.
std::optional<std::uint64_t> stand_in_of(spank_t spank);

// It belongs to an allocation of salloc --checkpoint; and it is the step that stands for a script there
// (wire/allocation.hpp). Both as the user's environment says.
bool is_in_allocation(spank_t spank);
bool stands_for_script(spank_t spank);

} // namespace ckpt
