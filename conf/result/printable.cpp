// SPDX-License-Identifier: GPL-2.0-or-later
#include "printable.hpp"

#include <cstddef>
#include <cstdint>

namespace ckpt {

namespace {

struct Character {
    std::uint32_t code = 0;
    std::size_t length = 0; // 0: no UTF-8
};

bool continues(std::string_view text, std::size_t i) {
    return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0U) == 0x80U;
}

// The first one (RFC 3629).
Character first_in(std::string_view text) {
    const auto first = static_cast<unsigned char>(text.front());
    if (first < 0x80) return {first, 1};
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    std::uint32_t code = first & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if (!continues(text, i)) return {};
        code = code << 6U | (static_cast<unsigned char>(text[i]) & 0x3fU);
    }
    constexpr std::uint32_t k_least[] = {0, 0, 0x80, 0x800, 0x10000}; // a longer form of a smaller one is none
    const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    if (first < 0xc2 || first > 0xf4 || code < k_least[length] || code > 0x10ffff || is_surrogate) return {};
    return {code, length};
}

bool within(std::uint32_t code, std::uint32_t from, std::uint32_t to) {
    return code >= from && code <= to;
}

bool is_harmless(std::uint32_t code) {
    const bool is_control = code < 0x20 || within(code, 0x7f, 0x9f) || within(code, 0x2028, 0x2029);
    const bool turns = code == 0x61c || within(code, 0x200e, 0x200f) || within(code, 0x202a, 0x202e) ||
                       within(code, 0x2066, 0x2069); // UAX #9
    return !is_control && !turns;
}

} // namespace

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const Character one = first_in(text);
        const std::size_t length = one.length != 0 ? one.length : 1;
        if (one.length != 0 && is_harmless(one.code))
            out += text.substr(0, length);
        else
            out += '?';
        text.remove_prefix(length);
    }
    return out;
}

} // namespace ckpt
