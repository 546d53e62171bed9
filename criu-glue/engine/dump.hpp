// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <chrono>
#include <functional>

#include "os/creds.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"
#include "wire/engine_messages.hpp"

namespace ckpt {

// The descriptors of a DumpRequest.
struct DumpFds {
    Fd images;
    Fd mount_ns;
    Fd pid_ns;
    Fd root; // pidfd of the tree's root
    std::array<Fd, 3> stdio;
    Fd state; // DumpRequest::state; may be none
};

// How a dump that is not alone waits for the others.
struct DumpGate {
    using Patience = std::chrono::milliseconds;
    // The tree stands still; an error gives the dump up.
    std::function<Status(const wire::DumpStopped&, Patience)> stopped;
    std::function<Status(Patience)> taken; // the images are complete
};

// Dumps one tree. Whatever goes wrong, the tree runs on as before; the images are then worthless.
// Code::not_found: it has ended meanwhile.
Result<wire::DumpResult> dump(Root rights, const wire::DumpRequest& request, const DumpFds& fds,
                              const DumpGate& gate);

} // namespace ckpt
