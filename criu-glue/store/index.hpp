// SPDX-License-Identifier: GPL-2.0-or-later
// What an index of images consists of (docs/format-images.md, "Index").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/images.hpp"
#include "store/page_hash.hpp"

namespace ckpt::store {

inline constexpr std::size_t k_index_files_max = 262144;
inline constexpr std::size_t k_index_packs_max = 64;
inline constexpr std::size_t k_run_pages_max = 2048; // of a run with data
inline constexpr std::uint64_t k_pack_pages_max = std::uint64_t{1} << 48U;
// What pages come from when a pagemap says where they belong: this behind its name. No file's name has a
// slash.
inline constexpr std::string_view k_space_suffix = "/pages";

// A page in a pack of the index' table: pack << 48 | page.
using Location = std::uint64_t;
inline constexpr Location k_nowhere = UINT64_MAX; // no index has so many packs
constexpr Location location_of(std::uint64_t pack, std::uint64_t page) {
    return pack << 48U | page;
}
constexpr std::size_t pack_of(Location at) {
    return at >> 48U;
}
constexpr std::uint64_t page_of(Location at) {
    return at & (k_pack_pages_max - 1);
}
constexpr std::uint64_t pages_in(std::uint64_t bytes) {
    return bytes / 4096 + (bytes % 4096 != 0 ? 1 : 0);
}

struct IndexFile {
    std::string name;
    std::string space; // of the addresses of its pages
    std::uint64_t size = 0;
};

// Pages of a file, one behind the other, at addresses that follow one another.
struct IndexRun {
    bool data = false; // else zeros, and nothing below is used
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    std::vector<Location> at;
    std::vector<PageHash> hashes;
};

struct PackTable {
    PackName name;
    std::uint64_t pages = 0;
    std::uint64_t used = 0; // of them by this index, each counted once
    std::vector<std::uint32_t> lengths;
};

std::string pack_path(const std::string& job_dir, const PackName& pack);

} // namespace ckpt::store
