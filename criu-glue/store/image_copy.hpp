// SPDX-License-Identifier: GPL-2.0-or-later
// Image files in one pass: read once, hashed and written on the way, with bounded memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "result/result.hpp"
#include "store/manifest.hpp"

namespace ckpt::store {

struct Copied {
    std::uint64_t size = 0;
    std::uint64_t written = 0; // without the holes
    std::string sha256;
};

// Copies `from` to the empty file `to`. Long runs of zeros become holes (ghost files, untouched memory of
// CRIU's shmem images). More than `limit` bytes is Code::store_corrupt. A read that fails is
// Code::store_corrupt as well, whatever fails in writing Code::store_full or Code::os: callers tell a bad
// source from a bad target by it.
Result<Copied> copy_hashed(int from, int to, std::uint64_t limit);

// Copies every file of `source` into the empty directory `target` and makes them durable. Only regular files
// with plain names are images; anything else is refused (Code::internal), as is more than `files_left`.
struct StoredFiles {
    std::vector<FileEntry> files;
    std::uint64_t written = 0;
};
Result<StoredFiles> store_files(int source, int target, std::size_t files_left);

// Copies exactly the files of `part` from `source` into the directory `target`. What lies in `target`
// afterwards is what was verified. Code::store_corrupt when the source is not what the manifest says.
Status unpack_files(int source, int target, const PartEntry& part);

} // namespace ckpt::store
