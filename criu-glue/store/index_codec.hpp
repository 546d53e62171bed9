// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers in an index: seven bits a byte, the lowest first; differences so that small ones stay small.
#pragma once

#include <cstdint>
#include <string>

namespace ckpt::store {

// What an entry of an index begins with.
enum class IndexTag : unsigned char { end = 0, file = 1, data = 2, zeros = 3 };

inline void put_varint(std::string& to, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U)
        to += static_cast<char>((value & 0x7fU) | 0x80U);
    to += static_cast<char>(value);
}

// 0, -1, 1, -2, … as 0, 1, 2, 3, …; differences are taken modulo 2^64.
constexpr std::uint64_t zigzag(std::uint64_t difference) {
    return difference << 1U ^ (difference >> 63U != 0 ? ~std::uint64_t{0} : 0);
}
constexpr std::uint64_t unzigzag(std::uint64_t value) {
    return value >> 1U ^ ((value & 1U) != 0 ? ~std::uint64_t{0} : 0);
}

} // namespace ckpt::store
