// SPDX-License-Identifier: GPL-2.0-or-later
// Seals parts of a generation on its way: pages that its parent has are not written again.
#pragma once

#include <optional>
#include <vector>

#include "result/result.hpp"
#include "store/job_at.hpp"
#include "store/manifest.hpp"
#include "store/part_file.hpp"
#include "store/seal.hpp"

namespace ckpt::store {

struct PartSource {
    PartEntry about; // its `images` are filled in when it is sealed
    int dir = -1;    // the images, flat
};

class PartSealer {
public:
    // Finds the parent: the newest generation that the incarnation could adopt and that is sealed with the
    // same key. `job` and `key` have to outlive it. `compression`: zstd's level.
    static Result<PartSealer> start(const JobAt& job, GenerationId id, const SealKey& key, int compression);

    // The index into the temporary directory, new pages into a pack. Durable but for the names: packs/ and
    // the temporary directory are to be synced.
    Result<SealedPart> seal(const PartSource& source);
    // Removes the packs that it has written, as far as that can be done. Indexes stay where they are: by name
    // nobody could tell them from those of the next attempt.
    void discard();

private:
    PartSealer(const JobAt& job, GenerationId id, const SealKey& key, int compression)
        : m_job(job), m_key(key), m_id(id), m_compression(compression) {}
    Status find_parent();
    [[nodiscard]] const PartEntry* part_before(const PartEntry& part) const;
    [[nodiscard]] Result<SealedImages> seal_images_of(const PartSource& source) const;

    const JobAt& m_job;
    const SealKey& m_key;
    GenerationId m_id;
    int m_compression;
    std::optional<Manifest> m_parent;
    std::vector<PackName> m_packs;
};

} // namespace ckpt::store
