// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "result/result.hpp"

namespace ckpt {

// The user's jobs that slurmctld has and that have not ended, or are still being cleaned up. Of an array what
// waits has one id, the array's.
Result<std::vector<std::uint32_t>> unfinished_jobs(std::uint32_t uid);

// Of slurm.conf.
Result<std::string> cluster_name();

} // namespace ckpt
