// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "store/blocks.hpp"
#include "store/index.hpp"

namespace ckpt::store {

// Pages of the packs of an index. Keeps the blocks that were used last, 30 MiB at most: the pages of a
// process lie in as many packs as there were generations, in each of them in the order of their addresses.
class PackReader {
public:
    // Both have to outlive it.
    PackReader(const ImagesPlace& place, const std::vector<PackTable>& tables)
        : m_place(place), m_tables(tables), m_packs(tables.size()) {}
    // k_page_size bytes, valid until the next call. Errors as of BlockReader.
    Result<const char*> page(Location at);
    [[nodiscard]] std::uint64_t healed() const;

private:
    struct Slot {
        std::uint64_t key = UINT64_MAX; // pack and block; no pack has the number of this one
        std::uint64_t used = 0;
        std::vector<char> plain;
    };
    Result<std::size_t> load(Location at, std::uint64_t key);
    Status read(std::size_t pack, std::uint64_t block, std::vector<char>& plain);

    const ImagesPlace& m_place;
    const std::vector<PackTable>& m_tables;
    std::vector<std::unique_ptr<BlockReader>> m_packs; // opened when needed
    std::vector<Slot> m_slots;
    std::unordered_map<std::uint64_t, std::size_t> m_by_key;
    std::size_t m_last = 0;
    std::uint64_t m_clock = 0;
};

} // namespace ckpt::store
