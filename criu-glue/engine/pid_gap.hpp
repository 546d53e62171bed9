// SPDX-License-Identifier: GPL-2.0-or-later
// Pids in a fresh namespace: criu and what it forks must not sit on one that the images need (clone3 would
// fail with EEXIST), and children born after the restore must not take low pids that the next restore's criu
// will want.
#pragma once

#include <sys/types.h>

#include <vector>

#include "result/result.hpp"

namespace ckpt {

// Every pid, thread, group and session id in an image's process tree (pstree.img).
Result<std::vector<pid_t>> pids_in_images(int images);

// A value for ns_last_pid: the ids behind it are free for criu's own use. High where pid_max allows it.
Result<pid_t> pick_last_pid(std::vector<pid_t> taken, pid_t pid_max);

} // namespace ckpt
