// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "os/fd.hpp"
#include "result/result.hpp"
#include "wire/step_messages.hpp"

namespace ckpt {

struct StepChild {
    pid_t pid = 0; // leads a session of its own: what Slurm sends to our process group is not for it
    Fd pidfd;
};

// Becomes in a child what the stand-in would have become. `descriptors`: by command.descriptors. An execve
// that fails is Code::os with its errnum.
Result<StepChild> start_step(const wire::StepCommand& command, int cwd, const std::vector<Fd>& descriptors);

} // namespace ckpt
