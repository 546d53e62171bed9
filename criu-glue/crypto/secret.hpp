// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

namespace ckpt {

// 32 bytes nobody else may see. Wiped when its owner goes; moving wipes the source.
class Secret {
public:
    static constexpr std::size_t k_size = 32;

    Secret() = default;
    Secret(Secret&& other) noexcept;
    Secret& operator=(Secret&& other) noexcept;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret();

    [[nodiscard]] std::span<const unsigned char, k_size> bytes() const { return m_bytes; }
    [[nodiscard]] std::span<unsigned char, k_size> writable() { return m_bytes; }

private:
    void wipe();
    std::array<unsigned char, k_size> m_bytes{};
};

// Of what a secret had to be copied into: a message.
void wipe(std::string& bytes);

} // namespace ckpt
