// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/index_reader.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <format>

#include "store/hex.hpp"
#include "store/index_codec.hpp"
#include "store/names.hpp"

namespace ckpt::store {
namespace {

// Authenticated, so only a defect of ours gets here; what we read is checked all the same.
tl::unexpected<Error> wrong(std::string_view what) {
    return fail(Code::store_corrupt, std::format("the index says what cannot be: {}", what));
}

bool is_space(std::string_view space, std::string_view name) {
    if (space == name) return true;
    return space.ends_with(k_space_suffix) &&
           is_store_name(space.substr(0, space.size() - k_space_suffix.size()));
}

Error about(Error error, const std::string& path) {
    error.what = path + ": " + error.what;
    return error;
}

} // namespace

std::string pack_file_name(const PackName& pack) {
    return std::format("inc-{}-{}", pack.incarnation, pack.id);
}
std::string pack_path(const std::string& job_dir, const PackName& pack) {
    return std::format("{}/packs/{}", job_dir, pack_file_name(pack));
}

IndexReader::IndexReader(BlockReader blocks, const ImagesEntry& entry)
    : m_blocks(std::move(blocks)), m_entry(&entry) {}

Result<IndexReader> IndexReader::open(const ImagesPlace& place, const ImagesEntry& entry) {
    if (!is_file_id(entry.index_id) || entry.tables_at == 0 || entry.tables_at >= entry.blocks.size())
        return fail(Code::store_corrupt, place.index + ": the manifest says what cannot be of it");
    CKPT_TRY(BlockOpener opener, BlockOpener::start(place.key, entry.index_id, BlockKind::index));
    auto blocks = BlockReader::open(place.volume, place.index, std::move(opener), entry.blocks);
    if (!blocks) return tl::unexpected(about(blocks.error(), place.index));
    IndexReader reader(std::move(*blocks), entry);
    reader.section(entry.tables_at, entry.blocks.size());
    if (auto read = reader.read_tables(); !read) return tl::unexpected(about(read.error(), place.index));
    reader.section(0, entry.tables_at);
    return reader;
}

void IndexReader::section(std::uint64_t first, std::uint64_t end) {
    m_plain.clear();
    m_at = 0;
    m_block = first;
    m_end = end;
}

Status IndexReader::take(char* to, std::size_t size) {
    while (size > 0) {
        if (m_at == m_plain.size()) {
            if (m_block == m_end) return wrong("it goes on behind its end");
            CKPT_CHECK(m_blocks.read(m_block++, m_plain));
            m_at = 0;
        }
        const std::size_t now = std::min(size, m_plain.size() - m_at);
        std::memcpy(to, m_plain.data() + m_at, now);
        m_at += now;
        to += now;
        size -= now;
    }
    return {};
}

Result<std::uint64_t> IndexReader::take_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        unsigned char byte = 0;
        if (m_at < m_plain.size())
            byte = static_cast<unsigned char>(m_plain[m_at++]);
        else
            CKPT_CHECK(take(reinterpret_cast<char*>(&byte), 1));
        value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
        if (byte < 0x80) return value;
    }
    return wrong("a number that is too long");
}

Result<std::string> IndexReader::take_text() {
    unsigned char size = 0;
    CKPT_CHECK(take(reinterpret_cast<char*>(&size), 1));
    std::string text(size, '\0');
    CKPT_CHECK(take(text.data(), text.size()));
    return text;
}

Status IndexReader::read_tables() {
    CKPT_TRY(const std::uint64_t count, take_varint());
    if (count > k_index_packs_max) return wrong("too many packs");
    for (std::uint64_t i = 0; i < count; ++i) {
        CKPT_TRY(PackTable pack, read_table());
        m_packs.push_back(std::move(pack));
    }
    if (m_at != m_plain.size() || m_block != m_end) return wrong("something behind its end");
    // The manifest's list decides which packs are kept: it has to be right.
    if (!std::ranges::equal(m_packs, m_entry->packs, {}, &PackTable::name))
        return wrong("other packs than the manifest");
    return {};
}

Result<PackTable> IndexReader::read_table() {
    PackTable pack;
    CKPT_TRY(const std::uint64_t incarnation, take_varint());
    pack.name.incarnation = static_cast<std::uint32_t>(incarnation); // compared with the manifest's
    PageHash id{};
    CKPT_CHECK(take(reinterpret_cast<char*>(id.data()), id.size()));
    pack.name.id = to_hex(id);
    CKPT_TRY(pack.pages, take_varint());
    CKPT_TRY(pack.used, take_varint());
    if (pack.pages == 0 || pack.pages >= k_pack_pages_max || pack.used > pack.pages)
        return wrong("the size of a pack");
    // Grows as it is read, whatever the number of pages says.
    for (std::uint64_t page = 0; page < pack.pages; page += k_block_pages) {
        std::array<unsigned char, 4> bytes{};
        CKPT_CHECK(take(reinterpret_cast<char*>(bytes.data()), bytes.size()));
        pack.lengths.push_back(bytes[0] | std::uint32_t{bytes[1]} << 8U | std::uint32_t{bytes[2]} << 16U |
                               std::uint32_t{bytes[3]} << 24U);
    }
    return pack;
}

Result<bool> IndexReader::next_file(IndexFile& file) {
    for (;;) {
        CKPT_TRY(const bool more, next_run(m_skipped));
        if (!more) break;
    }
    unsigned char tag = 0;
    CKPT_CHECK(take(reinterpret_cast<char*>(&tag), 1));
    if (tag == static_cast<unsigned char>(IndexTag::end)) {
        CKPT_CHECK(check_end());
        return false;
    }
    if (tag != static_cast<unsigned char>(IndexTag::file)) return wrong("no file where one should begin");
    CKPT_CHECK(read_file(file));
    return true;
}

Status IndexReader::check_end() const {
    if (m_at != m_plain.size() || m_block != m_end) return wrong("something behind its end");
    if (m_names.size() != m_entry->files || m_bytes != m_entry->bytes)
        return wrong("other files than the manifest");
    return {};
}

Status IndexReader::read_file(IndexFile& file) {
    CKPT_TRY(file.name, take_text());
    CKPT_TRY(file.space, take_text());
    CKPT_TRY(file.size, take_varint());
    if (!is_store_name(file.name) || !is_space(file.space, file.name)) return wrong("the name of a file");
    if (file.space <= m_space) return wrong("the order of the files");
    m_space = file.space;
    if (m_names.size() == m_entry->files || m_names.size() == k_index_files_max)
        return wrong("more files than the manifest");
    if (!m_names.insert(file.name).second) return wrong("a file that is there twice");
    if (file.size > m_entry->bytes - m_bytes) return wrong("the size of a file");
    m_bytes += file.size;
    m_left = pages_in(file.size);
    m_next = 0;
    return {};
}

Result<bool> IndexReader::next_run(IndexRun& run) {
    if (m_left == 0) return false;
    unsigned char tag = 0;
    CKPT_CHECK(take(reinterpret_cast<char*>(&tag), 1));
    run.data = tag == static_cast<unsigned char>(IndexTag::data);
    if (!run.data && tag != static_cast<unsigned char>(IndexTag::zeros))
        return wrong("fewer pages than the file");
    CKPT_TRY(const std::uint64_t step, take_varint());
    CKPT_TRY(run.count, take_varint());
    run.first = m_next + unzigzag(step);
    if (run.count == 0 || run.count > m_left || (run.data && run.count > k_run_pages_max) ||
        run.first + run.count < run.first)
        return wrong("the length of a run");
    m_next = run.first + run.count;
    m_left -= run.count;
    if (run.data) CKPT_CHECK(read_locations(run));
    return true;
}

Status IndexReader::read_locations(IndexRun& run) {
    run.at.resize(run.count);
    run.hashes.resize(run.count);
    for (Location& at : run.at) {
        CKPT_TRY(const std::uint64_t step, take_varint());
        at = m_expected + unzigzag(step);
        m_expected = at + 1;
        if (pack_of(at) >= m_packs.size() || page_of(at) >= m_packs[pack_of(at)].pages)
            return wrong("the place of a page");
    }
    return take(reinterpret_cast<char*>(run.hashes.data()), run.hashes.size() * sizeof(PageHash));
}

} // namespace ckpt::store
