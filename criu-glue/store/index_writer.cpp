// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/index_writer.hpp"

#include <algorithm>

#include "store/hex.hpp"
#include "store/index_codec.hpp"

namespace ckpt::store {
namespace {

void put_tag(std::string& to, IndexTag tag) {
    to += static_cast<char>(tag);
}

void put_text(std::string& to, std::string_view text) { // of at most 255 bytes
    to += static_cast<char>(text.size());
    to += text;
}

void put_u32(std::string& to, std::uint32_t value) {
    for (unsigned shift = 0; shift < 32; shift += 8)
        to += static_cast<char>(value >> shift);
}

} // namespace

IndexWriter::IndexWriter(BlockWriter blocks) : m_blocks(std::move(blocks)) {
    m_buffer.reserve(k_block_size);
    m_run.at.reserve(k_run_pages_max);
    m_run.hashes.reserve(k_run_pages_max);
}

Status IndexWriter::put(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::string_view now = bytes.substr(0, k_block_size - m_buffer.size());
        m_buffer += now;
        bytes.remove_prefix(now.size());
        if (m_buffer.size() == k_block_size) CKPT_CHECK(cut());
    }
    return {};
}

Status IndexWriter::cut() {
    if (m_buffer.empty()) return {};
    CKPT_CHECK(m_blocks.write(m_buffer));
    m_buffer.clear();
    return {};
}

Status IndexWriter::begin_file(const IndexFile& file) {
    CKPT_CHECK(end_run());
    m_head.clear();
    put_tag(m_head, IndexTag::file);
    put_text(m_head, file.name);
    put_text(m_head, file.space);
    put_varint(m_head, file.size);
    m_next = 0;
    return put(m_head);
}

Status IndexWriter::zeros(std::uint64_t address, std::uint64_t count) {
    if (m_run.data || address != m_run.first + m_run.count) {
        CKPT_CHECK(end_run());
        m_run.data = false;
        m_run.first = address;
    }
    m_run.count += count;
    return {};
}

Status IndexWriter::page(std::uint64_t address, Location at, const PageHash& hash) {
    if (!m_run.data || address != m_run.first + m_run.count || m_run.count == k_run_pages_max) {
        CKPT_CHECK(end_run());
        m_run.data = true;
        m_run.first = address;
    }
    m_run.at.push_back(at);
    m_run.hashes.push_back(hash);
    ++m_run.count;
    return {};
}

Status IndexWriter::end_run() {
    if (m_run.count == 0) return {};
    m_head.clear();
    put_tag(m_head, m_run.data ? IndexTag::data : IndexTag::zeros);
    put_varint(m_head, zigzag(m_run.first - m_next));
    put_varint(m_head, m_run.count);
    m_next = m_run.first + m_run.count;
    for (const Location at : m_run.at) {
        put_varint(m_head, zigzag(at - m_expected));
        m_expected = at + 1;
    }
    CKPT_CHECK(put(m_head));
    for (const PageHash& hash : m_run.hashes)
        CKPT_CHECK(put({reinterpret_cast<const char*>(hash.data()), hash.size()}));
    m_run.count = 0;
    m_run.at.clear();
    m_run.hashes.clear();
    return {};
}

Status IndexWriter::end_files() {
    CKPT_CHECK(end_run());
    m_head.clear();
    put_tag(m_head, IndexTag::end);
    CKPT_CHECK(put(m_head));
    CKPT_CHECK(cut());
    m_tables_at = static_cast<std::uint32_t>(m_blocks.lengths().size());
    return {};
}

Status IndexWriter::tables(std::span<const PackTable> packs) {
    m_head.clear();
    put_varint(m_head, packs.size());
    for (const PackTable& pack : packs) {
        PageHash id{};
        if (!from_hex(pack.name.id, id)) return fail(Code::internal, "not the id of a pack");
        put_varint(m_head, pack.name.incarnation);
        m_head.append(reinterpret_cast<const char*>(id.data()), id.size());
        put_varint(m_head, pack.pages);
        put_varint(m_head, pack.used);
        for (const std::uint32_t length : pack.lengths) {
            put_u32(m_head, length);
            if (m_head.size() < k_block_size) continue;
            CKPT_CHECK(put(m_head));
            m_head.clear();
        }
    }
    return put(m_head);
}

Status IndexWriter::finish() {
    CKPT_CHECK(cut());
    return m_blocks.finish();
}

} // namespace ckpt::store
