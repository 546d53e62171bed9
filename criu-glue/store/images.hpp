// SPDX-License-Identifier: GPL-2.0-or-later
// One task's images in the store: an index of pages in the generation's directory, and packs of pages that
// the generations of a job share (docs/format.md, "Images"). Memory use does not depend on how large they
// are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "result/result.hpp"
#include "store/seal.hpp"
#include "volume/volume.hpp"

namespace ckpt::store {

// The name of a pack: its file is `packs/inc-N-ID` in the job's directory. Written once, never changed.
struct PackName {
    std::uint32_t incarnation = 0; // that wrote it
    std::string id;                // 32 lower-case hex digits, random
    auto operator<=>(const PackName&) const = default;
};
std::string pack_file_name(const PackName& pack); // "inc-0-0a1b…"

// What a manifest says of one part's images; with the job's key it is all that is needed to read them.
struct ImagesEntry {
    std::string index_id;              // 32 hex digits, random: the index's own key and nonces depend on it
    std::vector<std::uint32_t> blocks; // length of each sealed block of the index, bytes
    std::uint32_t tables_at = 0;       // the block with which the packs' tables begin
    std::uint32_t files = 0;
    std::uint64_t bytes = 0;     // of all files
    std::vector<PackName> packs; // every pack that a page is in
};

struct ImagesPlace {
    Volume& volume;
    std::string job_dir; // "alpha/4711-0a1b2c3d"
    std::string index;   // "alpha/4711-0a1b2c3d/inc-0/gen-000007/index-4294967291-0"
    const SealKey& key;
};

struct SealedImages {
    ImagesEntry entry;
    std::uint64_t stored_bytes = 0; // written: the new pack and the index
    std::optional<PackName> new_pack;
};

struct Parent {
    ImagesPlace place;
    const ImagesEntry& entry;
    std::uint64_t turn = 0; // which share of its packs is read back before they are referred to
};

// As many turns in a row read back all of a pack (docs/format.md, "Deduplication").
inline constexpr std::uint64_t k_check_turns = 8;

// Stores every file of the directory `source` (flat, regular files with plain names; anything else is
// Code::internal): pages that `parent` has at the same place are not written again, nor are zeros.
// `incarnation` and the random id name the new pack; no page new, no pack. `level`: zstd's. A parent that
// cannot be read is no parent. On failure the index may be left behind.
Result<SealedImages> seal_images(int source, const ImagesPlace& place, const Parent* parent,
                                 std::uint32_t incarnation, int level);

struct ImagesRead {
    std::uint64_t bytes = 0;
    std::uint64_t healed = 0; // blocks that were damaged and put right
};

// Writes the files into the empty directory `target`; only what is authenticated gets there. What is wrong
// with the source is Code::store_corrupt (errnum of the volume's failure, 0 for damage), what is wrong with
// the target anything else.
Result<ImagesRead> unseal_images(const ImagesPlace& place, const ImagesEntry& entry, int target);

// Reads and authenticates everything, writes nothing.
Result<ImagesRead> verify_images(const ImagesPlace& place, const ImagesEntry& entry);

} // namespace ckpt::store
