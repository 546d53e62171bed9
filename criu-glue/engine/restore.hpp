// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>

#include "os/fd.hpp"
#include "result/result.hpp"
#include "wire/worker.hpp"

namespace ckpt {

// The descriptors of a RestoreRequest.
struct RestoreFds {
    Fd images;
    Fd tails;
    Fd mount_ns;
    std::array<Fd, 3> stdio;
    Fd status_pipe;
};

// The answer with its descriptors.
struct Restored {
    wire::RestoreResult result;
    Fd root_pidfd;
    Fd mount_ns;
    Fd pid_ns;
};

// Restores one tree. When it fails nothing of it runs, and output files are as they were found.
Result<Restored> restore(const wire::RestoreRequest& request, const RestoreFds& fds);

} // namespace ckpt
