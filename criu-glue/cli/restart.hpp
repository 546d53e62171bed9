// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "result/result.hpp"

namespace ckpt::cli {

struct RestartOptions {
    std::string from; // JOBID or JOBID@GEN
    std::vector<std::string> sbatch;
    bool dry_run = false;
};

// Submits the job's script once more, to go on from the job's checkpoint, and prints the number of the new
// job. Code::busy while the job itself has not ended.
Status restart(const RestartOptions& options);

// "4711@3" as {4711, 3}; without @ the generation is 0.
struct RestartFrom {
    std::uint32_t job_id = 0;
    std::uint32_t generation = 0;
};
Result<RestartFrom> restart_from(const std::string& text);

} // namespace ckpt::cli
