// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "given_options.hpp"
#include "spank_api.hpp"

namespace ckpt {

// The job's options in prolog and epilog, where Slurm runs no init and no callbacks (src/common/spank.c:
// spank_job_script); they come from the job's record.
GivenOptions options_in_job_script(spank_t spank);

} // namespace ckpt
