// SPDX-License-Identifier: GPL-2.0-or-later

#include "engine/record.hpp"

namespace ckpt {

namespace {

constexpr std::string_view k_digits = "0123456789ABCDEF";

int digit(char c) {
    const std::size_t at = k_digits.find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

} // namespace

std::string escape_bytes(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f && c != '%') {
            out += c;
            continue;
        }
        out += '%';
        out += k_digits[byte >> 4];
        out += k_digits[byte & 15];
    }
    return out;
}

std::string unescape_bytes(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool complete = text[i] == '%' && i + 2 < text.size();
        const int high = complete ? digit(text[i + 1]) : -1;
        const int low = complete ? digit(text[i + 2]) : -1;
        if (high < 0 || low < 0) {
            out += text[i];
            continue;
        }
        out += static_cast<char>(high << 4 | low);
        i += 2;
    }
    return out;
}

} // namespace ckpt
