// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/pack_writer.hpp"

#include <cstring>

namespace ckpt::store {
namespace {

constexpr std::size_t k_cache_entries = std::size_t{1} << 20U; // 24 MiB

std::size_t slot_of(const PageHash& hash) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, hash.data(), sizeof bits);
    return bits % k_cache_entries;
}

} // namespace

Status PackWriter::begin() {
    const std::string dir = m_place.job_dir + "/packs";
    CKPT_CHECK(m_place.volume.make_dir(dir));
    m_name.incarnation = m_incarnation;
    CKPT_TRY(m_name.id, new_file_id());
    CKPT_TRY(BlockSealer sealer, BlockSealer::start(m_place.key, m_name.id, BlockKind::pack, m_level));
    CKPT_TRY(auto file, m_place.volume.create(pack_path(m_place.job_dir, m_name)));
    m_blocks = std::make_unique<BlockWriter>(std::move(file), std::move(sealer));
    m_buffer.reserve(k_block_size);
    return {};
}

Result<std::uint64_t> PackWriter::add(const char* page) {
    if (!m_blocks) CKPT_CHECK(begin());
    m_buffer.append(page, k_page_size);
    if (m_buffer.size() == k_block_size) {
        CKPT_CHECK(m_blocks->write(m_buffer));
        m_buffer.clear();
    }
    return m_pages++;
}

Status PackWriter::finish() {
    if (!m_blocks) return {};
    if (!m_buffer.empty()) CKPT_CHECK(m_blocks->write(m_buffer));
    CKPT_CHECK(m_blocks->finish());
    return m_place.volume.sync(m_place.job_dir + "/packs");
}

void PackWriter::discard() {
    m_blocks.reset();
    if (!m_name.id.empty()) (void)m_place.volume.remove(pack_path(m_place.job_dir, m_name));
}

PackTable PackWriter::table() const {
    if (!m_blocks) return {};
    return {m_name, m_pages, m_pages, m_blocks->lengths()};
}

ContentCache::ContentCache() : m_entries(k_cache_entries) {}

std::optional<Location> ContentCache::find(const PageHash& hash) const {
    const Entry& entry = m_entries[slot_of(hash)];
    if (entry.at == k_nowhere || entry.hash != hash) return std::nullopt;
    return entry.at;
}

void ContentCache::insert(const PageHash& hash, Location at) {
    m_entries[slot_of(hash)] = {hash, at};
}

} // namespace ckpt::store
