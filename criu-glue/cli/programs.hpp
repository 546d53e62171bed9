// SPDX-License-Identifier: GPL-2.0-or-later
// Slurm's commands, and our own helper, run for their output.
#pragma once

#include <string>
#include <vector>

#include "result/result.hpp"

namespace ckpt::cli {

// The path of a program, as a shell finds it; Code::not_found says where to run this instead.
Result<std::string> find_program(const std::string& name);

struct Done {
    bool succeeded = false;
    std::string output; // standard output
};

// Runs it to its end, five minutes at most. `input`: its standard input, or -1. What it says on standard
// error is seen unless `quiet`.
Result<Done> run_program(const std::vector<std::string>& argv, int input, bool quiet);

} // namespace ckpt::cli
