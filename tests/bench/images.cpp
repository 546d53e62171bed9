// SPDX-License-Identifier: GPL-2.0-or-later
#include "images.hpp"

#include <array>
#include <cstring>
#include <fstream>

namespace ckpt::bench {
namespace {

constexpr std::size_t k_page = 4096;
constexpr std::uint64_t k_first_page = 0x7f0000000; // where the mapping begins, in pages

// splitmix64
std::uint64_t mix(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111eb;
    return x ^ (x >> 31U);
}

void fill(std::array<char, k_page>& page, std::uint64_t number, std::uint64_t version) {
    page.fill(0);
    const std::uint64_t kind = mix(number) % 8;
    if (kind == 0) return;
    std::uint64_t state = mix(number * 1000003 + version);
    for (std::size_t at = 0; at < k_page; at += sizeof state) {
        state = mix(state);
        std::uint64_t word = state;
        if (kind <= 4) word = (word & 0xffffffff) | 0x3ff0000000000000; // half of it is always the same
        std::memcpy(page.data() + at, &word, sizeof word);
    }
}

std::string varint(std::uint64_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7U)
        bytes += static_cast<char>(value | 0x80U);
    bytes += static_cast<char>(value);
    return bytes;
}

std::string field(unsigned number, std::uint64_t value) {
    return varint(number << 3U) + varint(value);
}

void put(std::ofstream& out, const std::string& message) {
    const auto size = static_cast<std::uint32_t>(message.size());
    out.write(reinterpret_cast<const char*>(&size), sizeof size);
    out << message;
}

} // namespace

void Memory::write(const std::string& dir, unsigned round, double changed) const {
    const auto threshold = static_cast<std::uint64_t>(changed * 1e9);
    std::ofstream pages(dir + "/pages-1.img", std::ios::binary);
    std::array<char, k_page> page{};
    for (std::uint64_t number = 0; number < m_pages; ++number) {
        std::uint64_t version = 0;
        for (unsigned i = 1; i <= round; ++i)
            if (mix(m_seed + number * 31 + i * 1000003ULL) % 1000000000 < threshold) version = i;
        fill(page, number, version);
        pages.write(page.data(), page.size());
    }
    std::ofstream map(dir + "/pagemap-7.img", std::ios::binary);
    constexpr std::array<std::uint32_t, 2> k_magic{0x54564319, 0x56084025}; // criu/include/magic.h
    map.write(reinterpret_cast<const char*>(k_magic.data()), sizeof k_magic);
    put(map, field(1, 1));
    put(map, field(1, k_first_page * k_page) + field(2, m_pages) + field(4, 4)); // PE_PRESENT
}

} // namespace ckpt::bench
