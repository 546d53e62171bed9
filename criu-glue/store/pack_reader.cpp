// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/pack_reader.hpp"

#include <algorithm>

namespace ckpt::store {
namespace {

constexpr std::size_t k_slots = 120; // of k_block_size; more than an index has packs

} // namespace

Result<const char*> PackReader::page(Location at) {
    const std::uint64_t key = at / k_block_pages; // pages are numbered from 0 in every pack
    if (m_slots.empty() || m_slots[m_last].key != key) {
        const auto known = m_by_key.find(key);
        if (known != m_by_key.end()) {
            m_last = known->second;
        } else {
            CKPT_TRY(m_last, load(at, key));
        }
        m_slots[m_last].used = ++m_clock;
    }
    return m_slots[m_last].plain.data() + at % k_block_pages * k_page_size;
}

Result<std::size_t> PackReader::load(Location at, std::uint64_t key) {
    std::size_t slot = m_slots.size();
    if (slot < k_slots) {
        m_slots.emplace_back();
    } else {
        slot = static_cast<std::size_t>(std::ranges::min_element(m_slots, {}, &Slot::used) - m_slots.begin());
        m_by_key.erase(m_slots[slot].key);
        m_slots[slot].key = UINT64_MAX;
    }
    if (auto done = read(pack_of(at), page_of(at) / k_block_pages, m_slots[slot].plain); !done) {
        Error error = std::move(done).error();
        error.what = "pack " + pack_file_name(m_tables[pack_of(at)].name) + ": " + error.what;
        return tl::unexpected(std::move(error));
    }
    m_slots[slot].key = key;
    m_by_key.emplace(key, slot);
    return slot;
}

Status PackReader::read(std::size_t pack, std::uint64_t block, std::vector<char>& plain) {
    const PackTable& table = m_tables[pack];
    if (!m_packs[pack]) {
        CKPT_TRY(BlockOpener opener, BlockOpener::start(m_place.key, table.name.id, BlockKind::pack));
        CKPT_TRY(BlockReader reader, BlockReader::open(m_place.volume, pack_path(m_place.job_dir, table.name),
                                                       std::move(opener), table.lengths));
        m_packs[pack] = std::make_unique<BlockReader>(std::move(reader));
    }
    CKPT_CHECK(m_packs[pack]->read(block, plain));
    const std::uint64_t pages = std::min<std::uint64_t>(k_block_pages, table.pages - block * k_block_pages);
    if (plain.size() != pages * k_page_size)
        return fail(Code::store_corrupt, "a block with another number of pages");
    return {};
}

std::uint64_t PackReader::healed() const {
    std::uint64_t healed = 0;
    for (const auto& pack : m_packs)
        if (pack) healed += pack->healed();
    return healed;
}

} // namespace ckpt::store
