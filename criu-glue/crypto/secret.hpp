// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace ckpt {

// 32 bytes nobody else may see: in memory that is locked, kept out of core files and between guard pages
// (OPENSSL_secure_malloc(3)) as far as that reaches, else in ordinary memory. Wiped when its owner goes; what
// was moved from is 32 zeros.
class Secret {
public:
    static constexpr std::size_t k_size = 32;

    Secret();
    Secret(Secret&& other) noexcept;
    Secret& operator=(Secret&& other) noexcept;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret();

    [[nodiscard]] std::span<const unsigned char, k_size> bytes() const {
        return std::span<const unsigned char, k_size>(m_bytes, k_size);
    }
    [[nodiscard]] std::span<unsigned char, k_size> writable() {
        return std::span<unsigned char, k_size>(m_bytes, k_size);
    }

private:
    unsigned char* m_bytes; // never null
};

// Of what a secret had to be copied into: a message.
void wipe(std::string& bytes);

} // namespace ckpt
