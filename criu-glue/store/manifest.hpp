// SPDX-License-Identifier: GPL-2.0-or-later
// What a generation consists of (docs/format.md, "Manifest"). The manifest is the generation: what it does
// not name does not exist, and without it nothing does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "result/result.hpp"
#include "store/names.hpp"

namespace ckpt::store {

constexpr std::uint64_t k_format = 1;
// CRIU writes about eight files per process; a generation of more than this is refused at the commit.
constexpr std::size_t k_files_max = 262144;
constexpr std::size_t k_manifest_max = std::size_t{64} << 20U;

struct FileEntry {
    std::string name;
    std::uint64_t size = 0;
    std::string sha256; // 64 lower-case hex digits
};

// One task's images.
struct PartEntry {
    std::uint32_t step_id = 0;
    std::uint32_t task_id = 0;
    std::string node;
    std::uint64_t frozen_us = 0;
    std::uint64_t image_bytes = 0;
    std::uint32_t processes = 0;
    std::string criu_version;
    std::vector<FileEntry> files;
};

struct Manifest {
    Owner owner;
    GenerationId id;
    std::string key_id;
    std::int64_t created_at = 0; // Unix seconds: when it was written
    std::int64_t taken_at = 0;   // Unix seconds: the cut
    std::string reason;
    bool tree_was_stopped = false;
    std::uint64_t stored_bytes = 0; // the files without their holes, and without the manifest
    std::vector<PartEntry> parts;

    // nullptr when the generation has no such part.
    [[nodiscard]] const PartEntry* part(std::uint32_t step_id, std::uint32_t task_id) const;
};

// One line of JSON, always the same for the same manifest.
std::string to_json(const Manifest& manifest);

// Only for text whose seal has been verified, except to learn whom it claims to belong to.
// Code::store_corrupt for anything that to_json could not have written; members it does not know are ignored.
Result<Manifest> parse_manifest(std::string_view json);

} // namespace ckpt::store
