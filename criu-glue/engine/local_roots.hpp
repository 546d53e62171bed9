// SPDX-License-Identifier: GPL-2.0-or-later
// Which directories are the node's own.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "os/creds.hpp"
#include "result/result.hpp"

namespace ckpt {

// By f_type of statfs(2): disks and memory. Anything that is not known to be local counts as shared.
bool is_node_local(long fs_type);

// `policy`, and the task's TMPDIR when it lies in none of these but on a file system of the node's. The user
// looks: it may be on a server that hangs.
std::vector<std::string> local_roots(std::vector<std::string> policy, std::string_view environment,
                                     const JobUser& user, int mount_ns, std::chrono::milliseconds patience);

} // namespace ckpt
