// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/blocks.hpp"
#include "store/index.hpp"

namespace ckpt::store {

// A pack that begins to exist with its first page.
class PackWriter {
public:
    // `place` has to outlive it.
    PackWriter(const ImagesPlace& place, std::uint32_t incarnation, int level)
        : m_place(place), m_incarnation(incarnation), m_level(level) {}
    // Returns the number of the page in the pack.
    Result<std::uint64_t> add(const char* page);
    // Durable after this, name and all.
    Status finish();
    // Removes what there is of it, as far as that can be done.
    void discard();
    // What the index says of it; after finish(); nothing when it has no pages.
    [[nodiscard]] PackTable table() const;
    [[nodiscard]] std::uint64_t stored() const { return m_blocks ? m_blocks->stored() : 0; }

private:
    Status begin();

    const ImagesPlace& m_place;
    std::uint32_t m_incarnation;
    int m_level;
    PackName m_name;
    std::unique_ptr<BlockWriter> m_blocks;
    std::string m_buffer;
    std::uint64_t m_pages = 0;
};

// Where pages lie that this generation refers to already, by content. Bounded: a newer page takes an older
// one's place.
class ContentCache {
public:
    ContentCache();
    [[nodiscard]] std::optional<Location> find(const PageHash& hash) const;
    void insert(const PageHash& hash, Location at);

private:
    struct Entry {
        PageHash hash{};
        Location at = k_nowhere;
    };
    std::vector<Entry> m_entries;
};

} // namespace ckpt::store
