// SPDX-License-Identifier: GPL-2.0-or-later
// What a tree uses below the node-local directories (/tmp, /dev/shm, …): found and copied beside the images
// while the tree stands still. Only what belongs to the user: what somebody else owns is not ours to copy.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/record.hpp"
#include "result/result.hpp"

namespace ckpt {

struct LocalRules {
    std::vector<std::string> roots; // absolute, without a trailing slash
    std::uint64_t limit = 0;        // bytes of all contents together
    uid_t uid = 0;
    std::set<std::string> passed; // full paths of files that a restored tree gets in another way
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

// {root, path below it} when `path` lies below one of `roots`, the longest of them if several; else empty.
std::pair<std::string, std::string> below_root(const std::vector<std::string>& roots,
                                               const std::string& path);

// Open and mapped files, FIFOs, open and working directories, and the directories of bound Unix sockets;
// their contents become `local-N` in the image directory. Files without a name are CRIU's. Code::dump_refused
// when they are larger than the limit, Code::dump_unfit when the image directory is full, Code::deadline.
Result<std::vector<LocalFile>> save_local_files(pid_t root, const LocalRules& rules, int images);

// How many bytes save_local_files() would copy now, at the most; the tree may be running.
std::uint64_t bytes_of_local_files(pid_t root, const LocalRules& rules);

// Changes whenever the node starts.
Result<std::string> boot_id();

} // namespace ckpt
