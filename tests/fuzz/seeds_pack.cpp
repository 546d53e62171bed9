// SPDX-License-Identifier: GPL-2.0-or-later
// Indexes over the pack of pack_place.hpp.
#include <array>
#include <vector>

#include "pack_place.hpp"
#include "seeds.hpp"
#include "store/index_writer.hpp"
#include "store/page_hash.hpp"

namespace ckpt::fuzz {

namespace {

class PackSeed {
public:
    PackSeed() : m_table(write_pack(m_volume)), m_writer(index()) {
        auto hasher = store::PageHasher::start(m_key);
        require(hasher.has_value());
        for (std::uint64_t i = 0; i < k_pages; ++i)
            m_hashes.push_back(*hasher->hash(pack_page(i).data()));
    }
    // `pages` of the pack from `from` on, `zeros` behind them.
    void file(const std::string& name, const std::string& space, std::uint64_t address, std::uint64_t from,
              std::uint64_t pages, std::uint64_t zeros, std::uint64_t cut = 0) {
        const std::uint64_t size = (pages + zeros) * store::k_page_size - cut;
        require(m_writer.begin_file({name, space, size}).has_value());
        for (std::uint64_t i = 0; i < pages; ++i)
            require(m_writer.page(address + i, store::location_of(0, from + i), m_hashes.at(from + i))
                        .has_value());
        if (zeros > 0) require(m_writer.zeros(address + pages, zeros).has_value());
        ++m_input.files;
        m_input.bytes += static_cast<std::uint32_t>(size);
    }
    std::string input(std::uint16_t block, std::uint16_t damage) {
        const std::array tables{m_table};
        require(m_writer.end_files().has_value() && m_writer.tables(tables).has_value() &&
                m_writer.finish().has_value());
        const std::vector<std::uint32_t> lengths = m_writer.blocks().lengths();
        auto opener = store::BlockOpener::start(m_key, k_index_id, store::BlockKind::index);
        require(opener.has_value());
        auto reader = store::BlockReader::open(m_volume, k_index_path, std::move(*opener), lengths);
        require(reader.has_value());
        std::string text;
        std::vector<char> plain;
        for (std::uint64_t i = 0; i < lengths.size(); ++i) {
            if (i == m_writer.tables_at()) m_input.split = static_cast<std::uint16_t>(text.size());
            require(reader->read(i, plain).has_value());
            text.append(plain.begin(), plain.end());
        }
        m_input.block = block;
        m_input.damage = damage;
        return m_input.text() + text;
    }

private:
    store::IndexWriter index() {
        auto file = m_volume.create(k_index_path);
        auto sealer = store::BlockSealer::start(m_key, k_index_id, store::BlockKind::index, 1);
        require(file && sealer);
        return store::IndexWriter(store::BlockWriter(std::move(*file), std::move(*sealer)));
    }

    const store::SealKey m_key{};
    store::test::MemoryVolume m_volume;
    store::PackTable m_table;
    store::IndexWriter m_writer;
    std::vector<store::PageHash> m_hashes;
    PackInput m_input;
};

} // namespace

void pack_seeds(const Seeds& seeds) {
    seeds.limits();
    PackSeed small;
    small.file("core-7.img", "core-7.img", 0, 3, 1, 0, 1000);
    seeds.add("small", small.input(0xffff, 0));
    PackSeed all;
    all.file("core-7.img", "core-7.img", 0, 3, 1, 0, 1000);
    all.file("empty.img", "empty.img", 0, 0, 0, 0);
    all.file("pages-1.img", "pagemap-7.img/pages", 0x7f0000, 0, fuzz::k_pages, 5);
    seeds.add("all", all.input(300, 0));
    PackSeed damaged;
    damaged.file("pages-1.img", "pages-1.img", 0, 60, 10, 1000);
    seeds.add("damaged", damaged.input(100, 77));
}

} // namespace ckpt::fuzz
