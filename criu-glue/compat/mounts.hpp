// SPDX-License-Identifier: GPL-2.0-or-later
// Which mounts have to be there again for a job's files to be found. A file that is missing in a file system
// that is there is for the restore to find.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compat/needs.hpp"

namespace ckpt::compat {

constexpr std::size_t k_mounts_max = 16;             // of a job on one node
constexpr std::size_t k_node_mounts_bytes = 8 << 10; // beside what else travels in an AdoptRequest
constexpr std::size_t k_point_max = 256;             // bytes of a mount point; longer ones are not looked at

// All mounts of a /proc/PID/mountinfo, in its order. What cannot be read is left out.
std::vector<Mount> parse_mountinfo(std::string_view text);

// Of `all`, those that mounts_under() could ask for, and where more are mounted on demand (autofs).
std::vector<Mount> mounts_that_matter(const std::vector<Mount>& all);

// The mounts that `paths` lie on, as far as another node has to have them; at most k_mounts_max. Left out are
// those that every node has or that come with the job: the root, what the kernel or memory is behind, and
// disks at the places of the operating system's own directories, which may be partitions or not; and what
// lies below `own`, the node's own directories, which travel (engine.node_local).
std::vector<Mount> mounts_under(const std::vector<std::string>& paths, const std::vector<Mount>& all,
                                const std::vector<std::string>& own);

// Whether something like `wanted` is where the files are. A mount above or below it of the same kind may be
// the same file system, mounted in other pieces; where things are mounted on demand nothing is known to be
// missing.
bool is_there(const Mount& wanted, const std::vector<Mount>& mounts);

} // namespace ckpt::compat
