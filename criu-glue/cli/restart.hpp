// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "result/result.hpp"

namespace ckpt::cli {

struct RestartOptions {
    std::string from; // JOBID or JOBID@GEN; JOBID may be an array's element, 74_3
    std::string dir;  // its --checkpoint-dir, if it had one
    std::vector<std::string> sbatch;
    bool dry_run = false;
};

// Submits the job's script once more, to go on from the job's checkpoint, and prints the number of the new
// job; of an element of an array, that element only. Code::not_permitted when it is somebody else's job,
// Code::busy while the job itself has not ended, Code::restore_source while another one goes on from it and
// no generation is named.
Status restart(const RestartOptions& options);

} // namespace ckpt::cli
