// SPDX-License-Identifier: GPL-2.0-or-later
// What this node is, as the kernel says. A look costs a few reads of /proc.
#pragma once

#include <sys/types.h>

#include <vector>

#include "compat/needs.hpp"
#include "result/result.hpp"

namespace ckpt::compat {

// Processor and kernel. What cannot be read is unknown.
Node node_here();

// The mounts of the process's namespace, all of them, in its order.
Result<std::vector<Mount>> mounts_of_process(pid_t pid);

// node_here() with the mounts that the process sees.
Node node_as_seen_by(pid_t pid);

} // namespace ckpt::compat
