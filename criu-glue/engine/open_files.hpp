// SPDX-License-Identifier: GPL-2.0-or-later
// Reads what a stopped tree has open. Its time is the job's pause.
#pragma once

#include <sys/types.h>

#include <array>
#include <span>

#include "engine/record.hpp"

namespace ckpt {

// Everything of DumpRecord but `stdio`, from the tree below `root`.
Result<DumpRecord> record_tree(pid_t root);

// The shim's own openings of files in the record, which its lines went through.
void add_offsets_of_shim(DumpRecord& record, std::span<const int, 3> stdio);

// What the descriptors are.
std::array<StdioIdentity, 3> identify_stdio(std::span<const int, 3> fds);

// A number that two scripts share only if they are the same, or 0 when it cannot be read. Moves the
// descriptor's offset.
std::uint64_t script_content(int fd);

} // namespace ckpt
