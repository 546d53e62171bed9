// SPDX-License-Identifier: GPL-2.0-or-later
// A tree of processes, found through the kernel's children lists: the cost is that of the tree, not of the
// node, which matters where the tree stands still meanwhile.
#pragma once

#include <sys/types.h>

#include <vector>

#include "result/result.hpp"

namespace ckpt {

// `root` and all its descendants in this process's pid namespace, root first. CONFIG_PROC_CHILDREN is needed
// by CRIU as well (proc_parse.c:parse_children).
Result<std::vector<pid_t>> tree_pids(pid_t root);

} // namespace ckpt
