// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "store/blocks.hpp"
#include "store/index.hpp"

namespace ckpt::store {

// Writes an index from front to back: begin_file(), its pages in order, the next file …; end_files(),
// tables(), finish().
class IndexWriter {
public:
    explicit IndexWriter(BlockWriter blocks);
    Status begin_file(const IndexFile& file);
    Status zeros(std::uint64_t address, std::uint64_t count);
    Status page(std::uint64_t address, Location at, const PageHash& hash);
    Status end_files();
    Status tables(std::span<const PackTable> packs);
    Status finish();
    [[nodiscard]] const BlockWriter& blocks() const { return m_blocks; }
    [[nodiscard]] std::uint32_t tables_at() const { return m_tables_at; }

private:
    Status end_run();
    Status put(std::string_view bytes);
    Status cut();

    BlockWriter m_blocks;
    std::string m_buffer;
    std::string m_head; // of what is being written
    IndexRun m_run;
    std::uint64_t m_next = 0; // address behind the last run
    Location m_expected = 0;  // behind the last page
    std::uint32_t m_tables_at = 0;
};

} // namespace ckpt::store
