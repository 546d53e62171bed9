// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/pagemap.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace ckpt::store {
namespace {

constexpr std::uint32_t k_image_magic = 0x54564319;   // CRIU criu/include/magic.h: IMG_COMMON_MAGIC
constexpr std::uint32_t k_pagemap_magic = 0x56084025; // PAGEMAP_MAGIC; SHMEM_PAGEMAP_MAGIC is the same
constexpr std::uint32_t k_message_max = 4096;         // an entry has less than 50 bytes
constexpr std::size_t k_buffer = 65536;
constexpr std::uint64_t k_page = 4096;
constexpr std::uint64_t k_pages_end = std::uint64_t{1} << 52U;
constexpr std::uint64_t k_present = 4;   // PE_PRESENT

// A protobuf message, field by field.
class Fields {
public:
    explicit Fields(std::string_view bytes) : m_bytes(bytes) {}
    // False at the end, and where it is malformed. `value` is set for numbers only; other types are skipped.
    bool next() {
        if (m_bytes.empty() || !m_sane) return false;
        const std::uint64_t key = varint();
        field = key >> 3U;
        is_number = (key & 7U) == 0;
        switch (key & 7U) {
        case 0:
            value = varint();
            break;
        case 1:
            skip(8);
            break;
        case 2:
            skip(varint());
            break;
        case 5:
            skip(4);
            break;
        default:
            m_sane = false;
        }
        return m_sane;
    }
    [[nodiscard]] bool sane() const { return m_sane; }

    std::uint64_t field = 0;
    bool is_number = false;
    std::uint64_t value = 0;

private:
    std::uint64_t varint() {
        std::uint64_t result = 0;
        for (unsigned shift = 0; shift < 64 && !m_bytes.empty(); shift += 7) {
            const auto byte = static_cast<unsigned char>(m_bytes.front());
            m_bytes.remove_prefix(1);
            result |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
            if (byte < 0x80) return result;
        }
        m_sane = false;
        return 0;
    }
    void skip(std::uint64_t size) {
        if (size > m_bytes.size()) {
            m_sane = false;
            return;
        }
        m_bytes.remove_prefix(size);
    }

    std::string_view m_bytes;
    bool m_sane = true;
};

// A pagemap_entry with CRIU's defaults for what an older one does not say (init_compat_pagemap_entry).
struct Entry {
    std::uint64_t vaddr = 1; // required; not a page's
    std::uint64_t compat_pages = 0;
    bool in_parent = false;
    std::optional<std::uint64_t> flags;
    std::optional<std::uint64_t> pages;

    [[nodiscard]] bool in_file() const {
        if (in_parent) return (flags.value_or(0) & k_present) != 0;
        return (flags.value_or(k_present) & k_present) != 0;
    }
    [[nodiscard]] std::uint64_t count() const { return pages.value_or(compat_pages); }
    [[nodiscard]] bool sane() const {
        return vaddr % k_page == 0 && count() <= k_pages_end && vaddr / k_page + count() <= k_pages_end;
    }
};

std::optional<Entry> parse_entry(std::string_view message) {
    Entry entry;
    Fields fields(message);
    while (fields.next()) {
        if (!fields.is_number) continue;
        switch (fields.field) {
        case 1:
            entry.vaddr = fields.value;
            break;
        case 2:
            entry.compat_pages = fields.value;
            break;
        case 3:
            entry.in_parent = fields.value != 0;
            break;
        case 4:
            entry.flags = fields.value;
            break;
        case 5:
            entry.pages = fields.value;
            break;
        default:
            break;
        }
    }
    if (!fields.sane() || !entry.sane()) return std::nullopt;
    return entry;
}

std::optional<std::uint32_t> parse_head(std::string_view message) {
    std::optional<std::uint32_t> pages_id;
    Fields fields(message);
    while (fields.next())
        if (fields.field == 1 && fields.is_number) pages_id = static_cast<std::uint32_t>(fields.value);
    return fields.sane() ? pages_id : std::nullopt;
}

} // namespace

PagemapReader::PagemapReader(Fd file) : m_file(std::move(file)), m_buffer(k_buffer) {}

std::optional<PagemapReader> PagemapReader::open(Fd file) {
    PagemapReader reader(std::move(file));
    std::array<std::uint32_t, 2> magic{}; // CRIU writes its own byte order, which is ours: x86 and arm64
    if (!reader.take(reinterpret_cast<char*>(magic.data()), sizeof magic) || magic[0] != k_image_magic ||
        magic[1] != k_pagemap_magic)
        return std::nullopt;
    const auto message = reader.take_message();
    if (!message) return std::nullopt;
    const auto pages_id = parse_head(*message);
    if (!pages_id) return std::nullopt;
    reader.m_pages_id = *pages_id;
    return reader;
}

bool PagemapReader::take(char* to, std::size_t size) {
    m_ended = false;
    for (std::size_t done = 0; done < size;) {
        if (m_at == m_have) {
            ssize_t got = 0;
            do
                got = ::read(m_file.get(), m_buffer.data(), m_buffer.size());
            while (got < 0 && errno == EINTR);
            m_ended = got == 0 && done == 0;
            if (got <= 0) return false;
            m_have = static_cast<std::size_t>(got);
            m_at = 0;
        }
        const std::size_t now = std::min(size - done, m_have - m_at);
        std::memcpy(to + done, m_buffer.data() + m_at, now);
        m_at += now;
        done += now;
    }
    return true;
}

std::optional<std::string_view> PagemapReader::take_message() {
    std::uint32_t size = 0;
    if (!take(reinterpret_cast<char*>(&size), sizeof size)) {
        m_sane = m_ended;
        return std::nullopt;
    }
    m_sane = false;
    if (size > k_message_max) return std::nullopt;
    m_message.resize(size);
    if (!take(m_message.data(), size)) return std::nullopt;
    m_sane = true;
    return m_message;
}

std::optional<PagemapRun> PagemapReader::next() {
    while (m_sane) {
        const auto message = take_message();
        if (!message) return std::nullopt;
        const auto entry = parse_entry(*message);
        m_sane = entry.has_value();
        if (entry && entry->in_file() && entry->count() > 0)
            return PagemapRun{entry->vaddr / k_page, entry->count()};
    }
    return std::nullopt;
}

} // namespace ckpt::store
