// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <string>

namespace ckpt {

// What slurmstepd's messages to a job's stderr begin with (slurm src/slurmd/slurmstepd/mgr.c:
// _slurmd_job_log_init). `node`: nullptr = unknown.
std::string slurmstepd_on(const char* node);
// The same since Slurm 25.05 (src/common/log.c:_log_msg), in the form that LogTimeFormat has by default.
std::string dated(std::chrono::system_clock::time_point now);

// The line that it writes when execve(program) failed with `errnum` (src/slurmd/slurmstepd/task.c:exec_task).
std::string exec_error(std::string beginning, const std::string& program, int errnum);

} // namespace ckpt
