// SPDX-License-Identifier: GPL-2.0-or-later
// criu runs in the task's mount namespace, with the libraries it finds there. That is safe only where the
// task sees the node's own root file system and not an image that a user brought along.
#pragma once

#include <sys/types.h>

#include <string>

#include "result/result.hpp"

namespace ckpt {

// `pid` has the same root directory as this process and sees the same file at `criu`. Code::dump_refused.
Status check_same_root(pid_t pid, const std::string& criu);

} // namespace ckpt
