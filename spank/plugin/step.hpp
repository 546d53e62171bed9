// SPDX-License-Identifier: GPL-2.0-or-later
// What the hooks of one slurmstepd have in common.
#pragma once

#include <cstdint>

#include "spank_api.hpp"

namespace ckpt {

// The kinds of steps. Only the batch step is managed; the others are left as they are.
enum class StepKind : std::uint8_t { batch, normal, interactive, external };
StepKind kind_of(spank_t spank);

// Decided in init_post_opt, valid for this slurmstepd and the tasks it forks: a batch step whose job is ours.
bool is_managed();
void set_managed(bool managed);

// The job's environment as it is at this moment of the step; the value lives until the next call.
const char* job_variable(spank_t spank, const char* name);

} // namespace ckpt
