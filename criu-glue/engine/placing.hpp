// SPDX-License-Identifier: GPL-2.0-or-later
// What is done to one file of the user's when it is put back, and how that is taken back. Everything here
// runs as the user. `aside` is a name beside the file: first our copy's, then that of what was there.
#pragma once

#include <cstdint>
#include <string>

#include "engine/placement.hpp"
#include "engine/record.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

// The directory the file is in. Code::not_found; Code::not_permitted when a directory between the root and it
// is somebody else's. The root itself is the admin's word, or the one that the program used.
Result<Fd> open_parent(const LocalFile& file);

Result<LocalNow> look_at(const LocalFile& file);

// Placement::create, replace and remove.
Status make(const LocalFile& file, Placement placement, const std::string& aside, int images);
void unmake(const LocalFile& file, Placement placement, const std::string& aside);

// A directory gets its mode when everything is in it, since that may forbid writing, and must let go of it.
Status finish_directory(const LocalFile& file);
void open_up(const LocalFile& file);

// What was there goes for good.
void remove_aside(const LocalFile& file, const std::string& aside);
// The same, with a copy of its last `most` bytes in `tail`; how many bytes were before these.
Result<std::uint64_t> keep_aside(const LocalFile& file, const std::string& aside, int tail,
                                 std::uint64_t most);

} // namespace ckpt
