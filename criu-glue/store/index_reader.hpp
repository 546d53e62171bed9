// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "store/blocks.hpp"
#include "store/index.hpp"

namespace ckpt::store {

// Reads an index from front to back, the tables of its packs first. All errors are Code::store_corrupt, but
// for Code::internal.
class IndexReader {
public:
    // `entry` has to outlive it.
    static Result<IndexReader> open(const ImagesPlace& place, const ImagesEntry& entry);
    [[nodiscard]] const std::vector<PackTable>& packs() const { return m_packs; }
    // The next file; skips what was not read of the one before. False: that was the last one, and everything
    // is as the entry says.
    Result<bool> next_file(IndexFile& file);
    // The next run of the file. False: these were all of its pages.
    Result<bool> next_run(IndexRun& run);
    [[nodiscard]] std::uint64_t healed() const { return m_blocks.healed(); }

private:
    IndexReader(BlockReader blocks, const ImagesEntry& entry);
    Status read_tables();
    Result<PackTable> read_table();
    Status read_file(IndexFile& file);
    Status read_locations(IndexRun& run);
    Status check_end() const;
    void section(std::uint64_t first, std::uint64_t end);
    Status take(char* to, std::size_t size);
    Result<std::string> take_text();
    Result<std::uint64_t> take_varint();

    BlockReader m_blocks;
    const ImagesEntry* m_entry;
    std::vector<PackTable> m_packs;
    std::set<std::string> m_names;
    std::string m_space; // of the last file
    std::uint64_t m_bytes = 0;
    std::uint64_t m_left = 0; // pages of the file
    std::uint64_t m_next = 0;
    Location m_expected = 0;
    IndexRun m_skipped;
    // Where in the stream we are.
    std::vector<char> m_plain;
    std::size_t m_at = 0;
    std::uint64_t m_block = 0; // the next one
    std::uint64_t m_end = 0;
};

} // namespace ckpt::store
