// SPDX-License-Identifier: GPL-2.0-or-later
#include "crypto/secret.hpp"

#include <openssl/crypto.h>

namespace ckpt {

Secret::Secret(Secret&& other) noexcept : m_bytes(other.m_bytes) {
    other.wipe();
}

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this != &other) {
        m_bytes = other.m_bytes;
        other.wipe();
    }
    return *this;
}

Secret::~Secret() {
    wipe();
}

// A plain memset of memory that is about to go is removed by the optimiser.
void Secret::wipe() {
    OPENSSL_cleanse(m_bytes.data(), m_bytes.size());
}

void wipe(std::string& bytes) {
    OPENSSL_cleanse(bytes.data(), bytes.size());
    bytes.clear();
}

} // namespace ckpt
