// SPDX-License-Identifier: GPL-2.0-or-later
// A generation's way into the store: one node commits it, others may seal parts of it meanwhile.
#pragma once

#include <vector>

#include "os/fd.hpp"
#include "result/result.hpp"
#include "wire/store_messages.hpp"

namespace ckpt {

// Carries out a CommitRequest; with parts elsewhere it talks to ckptd in between (CommitReady, CommitGoOn).
Status commit(const wire::CommitRequest& request, std::vector<Fd>& fds, wire::CommitResult& result);

// Carries out a SealRequest.
Status seal(const wire::SealRequest& request, std::vector<Fd>& fds, wire::SealResult& result);

} // namespace ckpt
