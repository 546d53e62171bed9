// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/parent_pages.hpp"

#include <algorithm>

namespace ckpt::store {

std::optional<ParentPages> ParentPages::open(const Parent& parent) {
    auto index = IndexReader::open(parent.place, parent.entry);
    if (!index) return std::nullopt;
    ParentPages pages(std::move(*index));
    pages.next_file();
    return pages;
}

void ParentPages::next_file() {
    m_run = {};
    m_ended = !m_index.next_file(m_file).value_or(false);
}

void ParentPages::enter(const std::string& space) {
    while (!m_ended && m_file.space < space)
        next_file();
    m_inside = !m_ended && m_file.space == space;
}

std::optional<Location> ParentPages::find(std::uint64_t address, const PageHash& hash) {
    while (m_inside && m_run.first + m_run.count <= address) {
        const auto more = m_index.next_run(m_run);
        m_inside = more.value_or(false);
        if (!more) m_ended = true;
    }
    if (!m_inside || !m_run.data || address < m_run.first) return std::nullopt;
    const std::size_t i = address - m_run.first;
    return m_run.hashes[i] == hash ? std::optional(m_run.at[i]) : std::nullopt;
}

PackChoice::PackChoice(const ImagesPlace& place, const std::vector<PackTable>& parent, std::uint64_t turn)
    : m_place(place), m_parent(parent), m_turn(turn), m_packs(parent.size()) {
    std::vector<std::size_t> by_use;
    for (std::size_t i = 0; i < parent.size(); ++i)
        if (parent[i].used >= parent[i].pages - parent[i].used) by_use.push_back(i);
    std::ranges::stable_sort(by_use, std::ranges::greater(), [&](std::size_t i) { return parent[i].used; });
    by_use.resize(std::min(by_use.size(), k_index_packs_max - 1)); // one is left for the new one
    for (const std::size_t i : by_use)
        m_packs[i].state = State::eligible;
}

// A generation must not come to depend on what is lost already. To read all of it each time would cost more
// than the checkpoint; a part of it each time finds everything in the end. What parity still makes good
// counts as bad, too: the next spot would be one too many.
bool PackChoice::is_sound(const PackTable& table) const {
    const std::string path = pack_path(m_place.job_dir, table.name);
    const auto file = m_place.volume.open(path);
    if (!file || (*file)->size() != stored_size(table.lengths)) return false;
    auto opener = BlockOpener::start(m_place.key, table.name.id, BlockKind::pack);
    if (!opener) return false;
    auto reader = BlockReader::open(m_place.volume, path, std::move(*opener), table.lengths);
    if (!reader) return false;
    std::vector<char> plain;
    const std::uint64_t last = (reader->blocks() - 1) / k_stripe;
    for (std::uint64_t block = 0; block < reader->blocks(); ++block) {
        const std::uint64_t stripe = block / k_stripe;
        const bool is_due = stripe == 0 || stripe == last || stripe % k_check_turns == m_turn % k_check_turns;
        if (is_due && (!reader->read(block, plain) || reader->healed() > 0)) return false;
    }
    return true;
}

std::optional<Location> PackChoice::refer(Location of_parent) {
    const std::size_t index = pack_of(of_parent);
    const std::uint64_t page = page_of(of_parent);
    Pack& pack = m_packs[index];
    if (pack.state == State::eligible) {
        pack.state = is_sound(m_parent[index]) ? State::in_use : State::passed_over;
        if (pack.state == State::in_use) {
            pack.number = m_order.size();
            m_order.push_back(index);
            pack.pages.resize(m_parent[index].pages);
        }
    }
    if (pack.state == State::passed_over) return std::nullopt;
    if (!pack.pages[page]) {
        pack.pages[page] = true;
        ++pack.used;
    }
    return location_of(pack.number, page);
}

Location PackChoice::refer_new(std::uint64_t page) {
    if (!m_new) {
        m_new = m_order.size();
        m_order.push_back(m_packs.size());
    }
    return location_of(*m_new, page);
}

std::vector<PackTable> PackChoice::tables(const PackTable& own) const {
    std::vector<PackTable> tables;
    tables.reserve(m_order.size());
    for (const std::size_t index : m_order) {
        const bool is_new = index == m_packs.size();
        tables.push_back(is_new ? own : m_parent[index]);
        if (!is_new) tables.back().used = m_packs[index].used;
    }
    return tables;
}

} // namespace ckpt::store
