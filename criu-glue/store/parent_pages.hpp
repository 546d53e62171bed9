// SPDX-License-Identifier: GPL-2.0-or-later
// What the generation before has stored already (docs/format-images.md, "Deduplication").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/index_reader.hpp"

namespace ckpt::store {

// Looks pages up in the parent's index, in one pass from its front to its back: spaces in ascending order
// and, within one, addresses too. What is asked for in another order is not found, nor is anything behind
// a damage.
class ParentPages {
public:
    // Nothing when the parent cannot be read.
    static std::optional<ParentPages> open(const Parent& parent);
    void enter(const std::string& space);
    // Where the page at `address` lies, if it has this hash.
    std::optional<Location> find(std::uint64_t address, const PageHash& hash);
    [[nodiscard]] const std::vector<PackTable>& packs() const { return m_index.packs(); }

private:
    explicit ParentPages(IndexReader index) : m_index(std::move(index)) {}
    void next_file();

    IndexReader m_index;
    bool m_ended = false;  // no file any more
    bool m_inside = false; // the file is of the space that was entered, and has runs left
    IndexFile m_file;
    IndexRun m_run;
};

// Which packs this generation refers to, in the order in which it begins to: of the parent's those of which
// the parent uses half at least, the 63 most used ones at most; and its own new one. So packs that are kept
// hold no more than twice of what is in use, and nothing ever needs repacking.
class PackChoice {
public:
    // `parent`: the tables of its packs; has to outlive it. Nothing is looked at before it is needed.
    // `turn`: as of Parent.
    PackChoice(const ImagesPlace& place, const std::vector<PackTable>& parent, std::uint64_t turn);
    // The same page by this generation's table; nothing when its pack is not referred to any more.
    std::optional<Location> refer(Location of_parent);
    Location refer_new(std::uint64_t page);
    // All that were referred to; `own` is the table of the new pack, if there is one.
    [[nodiscard]] std::vector<PackTable> tables(const PackTable& own) const;

private:
    enum class State : unsigned char { eligible, in_use, passed_over };
    struct Pack {
        State state = State::passed_over;
        std::uint64_t number = 0; // in this generation's table
        std::uint64_t used = 0;
        std::vector<bool> pages; // which are
    };
    [[nodiscard]] bool is_sound(const PackTable& table) const;

    const ImagesPlace& m_place;
    const std::vector<PackTable>& m_parent;
    std::uint64_t m_turn;
    std::vector<Pack> m_packs;          // as in m_parent
    std::vector<std::size_t> m_order;   // by number; the new one is m_packs.size()
    std::optional<std::uint64_t> m_new; // number of the new one
};

} // namespace ckpt::store
