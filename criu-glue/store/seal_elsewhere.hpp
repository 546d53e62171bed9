// SPDX-License-Identifier: GPL-2.0-or-later
// The work of a node that seals parts of a generation which another node commits (docs/format.md, "Commit").
#pragma once

#include <cstdint>
#include <vector>

#include "result/result.hpp"
#include "store/job_at.hpp"
#include "store/seal_part.hpp"

namespace ckpt::store {

struct SealSpec {
    Owner owner;
    GenerationId id;
    int compression = 3; // zstd's level
    std::vector<PartSource> parts;
};

// Seals the parts into the store while the generation's commit waits for them; all of it is durable then.
// Returns how many bytes that took. On failure none of the packs stays, and the commit has to be given up:
// Code::deadline when it has been already, or has not begun; Code::store_unwritable when the job has no
// directory on this node; else as commit().
Result<std::uint64_t> seal_elsewhere(const Store& store, const SealSpec& spec);

} // namespace ckpt::store
