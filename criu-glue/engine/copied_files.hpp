// SPDX-License-Identifier: GPL-2.0-or-later
// --checkpoint-files=copy: regular files that the tree writes to in place, saved with the images while it
// stands still. Only the user's own, read by a process that has become the user.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "engine/record.hpp"
#include "os/creds.hpp"
#include "result/result.hpp"

namespace ckpt {

// Files that a process below `root` has mapped and may write to through the mapping.
Result<std::vector<OpenFile>> files_mapped_for_writing(pid_t root);

// Of `open` those that somebody writes to without O_APPEND, and all of `mapped`; each once, by path. Not
// those in `handled`, which a restored tree gets in another way.
std::vector<LocalFile> files_to_copy(const std::vector<OpenFile>& open, const std::vector<OpenFile>& mapped,
                                     const std::set<std::string>& handled);

// The files beside a SQLite database that its next user would apply to it.
std::vector<std::string> companions_of(const std::string& path);

// Contents become `copy-N` in the image directory; of databases the companions come along, those that are not
// there as absent. Files of others and such as were replaced meanwhile are left out. Code::dump_refused when
// there are more than `limit` bytes, Code::dump_unfit when the image directory is full.
Result<std::vector<LocalFile>> save_copies(const std::vector<LocalFile>& files, const JobUser& user,
                                           int mount_ns, int images, std::uint64_t limit,
                                           std::chrono::milliseconds patience);

} // namespace ckpt
