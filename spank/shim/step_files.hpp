// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "wire/shim_state.hpp"

namespace ckpt {

using FileNumbers = std::set<std::pair<std::uint64_t, std::uint64_t>>; // device, inode

FileNumbers numbers_of(int fd);

// The regular files that process `pid` has open for writing, but for those in `known`.
std::vector<wire::StepOutput> files_written_by(pid_t pid, const FileNumbers& known);

// Back to the length it had, if it is still that file.
void cut_back(const wire::StepOutput& output);

// `pid` and all below it.
std::vector<std::int32_t> processes_below(pid_t pid);

} // namespace ckpt
