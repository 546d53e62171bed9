// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <functional>

#include "os/creds.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"
#include "wire/engine_messages.hpp"

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
    Fd state; // what the shim kept; none if the dump has not saved any
};

// Takes the answer to whoever asked. When that fails nobody would know of the tree, so it must not run.
using Deliver = std::function<Status(const Restored&)>;

// Puts back what a restore that died has left half done beside the user's files; its images say where these
// are. `fds` without stdio and status pipe.
Status undo_restore(const wire::UndoRequest& request, const RestoreFds& fds);

// Restores one tree; `deliver` is called once it runs and before it is beyond recall. When the restore fails
// nothing of it runs, and output files are as they were found.
Status restore(Root rights, const wire::RestoreRequest& request, const RestoreFds& fds,
               const Deliver& deliver);

} // namespace ckpt
