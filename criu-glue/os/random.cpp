// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/random.hpp"

#include <sys/random.h>

#include <array>
#include <string_view>

namespace ckpt {

Result<std::string> make_uuid() {
    std::array<unsigned char, 16> random{};
    if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
        return fail_errno(Code::os, "draw a random number");
    std::string uuid;
    for (const unsigned char byte : random) {
        constexpr std::string_view k_digits = "0123456789abcdef";
        uuid += k_digits[byte >> 4];
        uuid += k_digits[byte & 15];
    }
    return uuid;
}

bool is_uuid(const std::string& text) {
    return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

} // namespace ckpt
