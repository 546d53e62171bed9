// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <csignal>
#include <string>
#include <vector>

#include "os/fd.hpp"
#include "result/result.hpp"
#include "wire/step_messages.hpp"

namespace ckpt {

// Everything that this process would pass on to the real srun by becoming it. `mask`: of blocked signals, as
// it was at our start.
wire::StepCommand command_of(std::vector<std::string> argv, const std::string& program, const sigset_t& mask);

// `command` as a file in memory.
Result<Fd> as_file(const wire::StepCommand& command);

} // namespace ckpt
