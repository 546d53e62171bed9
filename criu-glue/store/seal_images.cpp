// SPDX-License-Identifier: GPL-2.0-or-later
#include <format>

#include "store/image_files.hpp"
#include "store/images.hpp"
#include "store/index_writer.hpp"
#include "store/pack_writer.hpp"
#include "store/page_source.hpp"
#include "store/parent_pages.hpp"

namespace ckpt::store {
namespace {

// Finds a place for each page and writes the index.
class Sealer final : public PageSink {
public:
    Sealer(const ImagesPlace& place, std::optional<ParentPages> parent, std::uint64_t turn,
           std::uint32_t incarnation, int level, IndexWriter index, PageHasher hasher)
        : m_parent(std::move(parent)), m_choice(place, m_parent ? m_parent->packs() : m_no_packs, turn),
          m_pack(place, incarnation, level), m_index(std::move(index)), m_hasher(std::move(hasher)) {}

    Result<SealedImages> seal(int dir, const std::vector<ImageFile>& files, std::string index_id);
    void discard() { m_pack.discard(); }

private:
    Status add(int dir, const ImageFile& file);
    Status zeros(std::uint64_t pages) override;
    Status data(const char* page) override;
    Result<SealedImages> finish(std::string index_id);
    Result<Location> place_for(std::uint64_t address, const PageHash& hash, const char* page);

    const std::vector<PackTable> m_no_packs;
    std::optional<ParentPages> m_parent;
    PackChoice m_choice;
    PackWriter m_pack;
    ContentCache m_cache;
    IndexWriter m_index;
    PageHasher m_hasher;
    AddressMap m_addresses;
    std::vector<char> m_buffer;
    std::uint32_t m_files = 0;
    std::uint64_t m_bytes = 0;
};

Status Sealer::add(int dir, const ImageFile& file) {
    std::uint64_t size = 0;
    CKPT_TRY(const Fd in, open_image_file(dir, file.name, size));
    CKPT_CHECK(m_index.begin_file({file.name, file.space, size}));
    if (m_parent) m_parent->enter(file.space);
    m_addresses = address_map(dir, file);
    CKPT_CHECK(read_pages(in.get(), size, m_buffer, *this));
    ++m_files;
    m_bytes += size;
    return {};
}

Status Sealer::zeros(std::uint64_t pages) {
    while (pages > 0) {
        const PagemapRun run = m_addresses.take(pages);
        CKPT_CHECK(m_index.zeros(run.first, run.count));
        pages -= run.count;
    }
    return {};
}

Status Sealer::data(const char* page) {
    const std::uint64_t address = m_addresses.take(1).first;
    CKPT_TRY(const PageHash hash, m_hasher.hash(page));
    CKPT_TRY(const Location at, place_for(address, hash, page));
    return m_index.page(address, at, hash);
}

Result<Location> Sealer::place_for(std::uint64_t address, const PageHash& hash, const char* page) {
    std::optional<Location> at;
    if (m_parent)
        if (const auto of_parent = m_parent->find(address, hash)) at = m_choice.refer(*of_parent);
    if (!at) {
        // What a fork shares with another process.
        if (const auto known = m_cache.find(hash)) return *known;
        CKPT_TRY(const std::uint64_t number, m_pack.add(page));
        at = m_choice.refer_new(number);
    }
    m_cache.insert(hash, *at);
    return *at;
}

Result<SealedImages> Sealer::finish(std::string index_id) {
    CKPT_CHECK(m_pack.finish());
    CKPT_CHECK(m_index.end_files());
    const PackTable own = m_pack.table();
    const std::vector<PackTable> packs = m_choice.tables(own);
    CKPT_CHECK(m_index.tables(packs));
    CKPT_CHECK(m_index.finish());
    SealedImages sealed;
    sealed.entry.index_id = std::move(index_id);
    sealed.entry.blocks = m_index.blocks().lengths();
    sealed.entry.tables_at = m_index.tables_at();
    sealed.entry.files = m_files;
    sealed.entry.bytes = m_bytes;
    for (const PackTable& pack : packs)
        sealed.entry.packs.push_back(pack.name);
    if (own.pages > 0) sealed.new_pack = own.name;
    sealed.stored_bytes = m_pack.stored() + m_index.blocks().stored();
    return sealed;
}

Result<SealedImages> Sealer::seal(int dir, const std::vector<ImageFile>& files, std::string index_id) {
    for (const ImageFile& image : files)
        if (auto added = add(dir, image); !added) {
            added.error().what = image.name + ": " + added.error().what;
            return tl::unexpected(added.error());
        }
    return finish(std::move(index_id));
}

} // namespace

Result<SealedImages> seal_images(int source, const ImagesPlace& place, const Parent* parent,
                                 std::uint32_t incarnation, int level) {
    CKPT_TRY(const auto files, list_image_files(source));
    CKPT_TRY(std::string index_id, new_file_id());
    CKPT_TRY(BlockSealer blocks, BlockSealer::start(place.key, index_id, BlockKind::index, level));
    CKPT_TRY(PageHasher hasher, PageHasher::start(place.key));
    CKPT_TRY(auto file, place.volume.create(place.index));
    Sealer sealer(place, parent != nullptr ? ParentPages::open(*parent) : std::nullopt,
                  parent != nullptr ? parent->turn : 0, incarnation, level,
                  IndexWriter(BlockWriter(std::move(file), std::move(blocks))), std::move(hasher));
    auto sealed = sealer.seal(source, files, std::move(index_id));
    if (!sealed) sealer.discard();
    return sealed;
}

} // namespace ckpt::store
