// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "result/result.hpp"

namespace ckpt {

// Has slurmctld requeue this job held, with `reason` as its comment, through ckpt-slurmctld and with the
// user's own rights. Code::slurm_rpc with the helper's words when it was refused.
Status hold_job(const std::string& reason);

} // namespace ckpt
