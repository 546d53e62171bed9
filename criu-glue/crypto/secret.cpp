// SPDX-License-Identifier: GPL-2.0-or-later
#include "crypto/secret.hpp"

#include <openssl/crypto.h>

#include <cstdlib>
#include <utility>

namespace ckpt {

namespace {

// For a thousand secrets; small enough for the least RLIMIT_MEMLOCK that is usual, 64 KiB.
constexpr std::size_t k_locked = std::size_t{32} << 10U;

unsigned char* allocate() {
    // Once in a process; where locking is not allowed, the rest of it holds all the same.
    [[maybe_unused]] static const int prepared = CRYPTO_secure_malloc_init(k_locked, Secret::k_size);
    void* bytes = OPENSSL_secure_zalloc(Secret::k_size);
    if (bytes == nullptr) bytes = OPENSSL_zalloc(Secret::k_size); // all of it is in use
    if (bytes == nullptr) std::abort();
    return static_cast<unsigned char*>(bytes);
}

} // namespace

Secret::Secret() : m_bytes(allocate()) {}

Secret::Secret(Secret&& other) noexcept : Secret() {
    std::swap(m_bytes, other.m_bytes);
}

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this == &other) return *this;
    OPENSSL_cleanse(m_bytes, k_size);
    std::swap(m_bytes, other.m_bytes);
    return *this;
}

// Either kind of memory (OpenSSL crypto/mem_sec.c:CRYPTO_secure_clear_free). A plain memset of memory that is
// about to go is removed by the optimiser.
Secret::~Secret() {
    OPENSSL_secure_clear_free(m_bytes, k_size);
}

void wipe(std::string& bytes) {
    OPENSSL_cleanse(bytes.data(), bytes.size());
    bytes.clear();
}

} // namespace ckpt
