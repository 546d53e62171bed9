// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace ckpt {

// The line that slurmstepd writes to the job's stderr when execve(program) failed with `errnum` (slurm
// src/slurmd/slurmstepd/task.c:exec_task; the prefix: mgr.c:_slurmd_job_log_init). `node`: nullptr = unknown.
std::string exec_error(const char* node, const std::string& program, int errnum);

} // namespace ckpt
