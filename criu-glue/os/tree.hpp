// SPDX-License-Identifier: GPL-2.0-or-later
// A tree of processes, found through the kernel's children lists: the cost is that of the tree, not of the
// node, which matters where the tree stands still meanwhile. CONFIG_PROC_CHILDREN is needed by CRIU as well
// (proc_parse.c:parse_children).
#pragma once

#include <sys/types.h>

#include <vector>

#include "result/result.hpp"

namespace ckpt {

Result<std::vector<pid_t>> child_pids(pid_t pid);
// `root` and all its descendants in this process's pid namespace, parents before their children.
Result<std::vector<pid_t>> tree_pids(pid_t root);

// Sends `signal` to every process of the tree below `root` that belongs to `uid`, children before their
// parents: a process group that loses its last parent outside while it is stopped gets SIGHUP and SIGCONT
// (kernel/exit.c:kill_orphaned_pgrp), and a shell would still run its EXIT trap after its last checkpoint.
void signal_tree(pid_t root, uid_t uid, int signal);

} // namespace ckpt
