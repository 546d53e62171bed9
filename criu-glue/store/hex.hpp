// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace ckpt::store {

constexpr char hex_digit(unsigned value) {
    return "0123456789abcdef"[value & 0xfU];
}

// The value of a lower-case hex digit, -1 for anything else: one spelling per value.
constexpr int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

inline std::string to_hex(std::span<const unsigned char> bytes) {
    std::string text;
    text.reserve(2 * bytes.size());
    for (const unsigned char byte : bytes) {
        text += hex_digit(byte >> 4U);
        text += hex_digit(byte);
    }
    return text;
}

// False unless `text` is exactly the digits of `out.size()` bytes.
inline bool from_hex(std::string_view text, std::span<unsigned char> out) {
    if (text.size() != 2 * out.size()) return false;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const int high = hex_value(text[2 * i]);
        const int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = static_cast<unsigned char>(high * 16 + low);
    }
    return true;
}

} // namespace ckpt::store
