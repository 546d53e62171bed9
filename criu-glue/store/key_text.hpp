// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to the key files: their text, which never leaves a copy of a key behind.
#pragma once

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "store/hex.hpp"
#include "store/key.hpp"

namespace ckpt::store {

constexpr std::string_view k_first_line = "slurm-checkpoint-key 2\n";
constexpr std::string_view k_first_line_of_one = "slurm-checkpoint-key 1\n"; // of a file with exactly one key
constexpr std::string_view k_id_label = "id: ";
constexpr std::string_view k_key_label = "key: ";
constexpr std::size_t k_id_digits = 16;
constexpr std::size_t k_pair_size =
    k_id_label.size() + k_id_digits + 1 + k_key_label.size() + 2 * Secret::k_size + 1;
constexpr std::size_t k_text_max = k_first_line.size() + k_keys_max * k_pair_size;

// On the stack, so that no reallocation leaves a copy behind, and wiped when it goes.
class KeyText {
public:
    KeyText() = default;
    KeyText(const KeyText&) = delete;
    KeyText& operator=(const KeyText&) = delete;
    KeyText(KeyText&&) = delete;
    KeyText& operator=(KeyText&&) = delete;
    ~KeyText() { OPENSSL_cleanse(m_text.data(), m_text.size()); }

    // Where to read a file into, one byte more than a key file may have; then used(how much it was).
    [[nodiscard]] std::span<char> room() { return m_text; }
    void used(std::size_t size) { m_used = size; }

    // At most k_text_max in all.
    void append(std::string_view part) {
        std::ranges::copy(part, m_text.begin() + static_cast<std::ptrdiff_t>(m_used));
        m_used += part.size();
    }
    void append_hex(std::span<const unsigned char> bytes) {
        for (const unsigned char byte : bytes) {
            m_text[m_used++] = hex_digit(byte >> 4U);
            m_text[m_used++] = hex_digit(byte & 0xfU);
        }
    }
    [[nodiscard]] std::string_view text() const { return {m_text.data(), m_used}; }

private:
    std::array<char, k_text_max + 1> m_text{};
    std::size_t m_used = 0;
};

} // namespace ckpt::store
