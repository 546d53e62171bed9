// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/page_hash.hpp"

#include <openssl/evp.h>

#include <algorithm>

#include "crypto/hkdf.hpp"
#include "store/block_cipher.hpp"

namespace ckpt::store {

void PageHasher::Free::operator()(evp_md_ctx_st* context) const {
    EVP_MD_CTX_free(context);
}
void PageHasher::Free::operator()(evp_md_st* digest) const {
    EVP_MD_free(digest);
}

Result<PageHasher> PageHasher::start(const SealKey& key) {
    PageHasher hasher;
    CKPT_CHECK(hkdf_sha256(key.secret.bytes(), "slurm-checkpoint/2", "pages", hasher.m_prefix.writable()));
    hasher.m_digest.reset(EVP_MD_fetch(nullptr, "SHA256", nullptr));
    hasher.m_context.reset(EVP_MD_CTX_new());
    if (!hasher.m_digest || !hasher.m_context) return fail(Code::internal, "OpenSSL cannot start SHA-256");
    return hasher;
}

Result<PageHash> PageHasher::hash(const char* page) {
    std::array<unsigned char, 32> digest; // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
    if (EVP_DigestInit_ex2(m_context.get(), m_digest.get(), nullptr) != 1 ||
        EVP_DigestUpdate(m_context.get(), m_prefix.bytes().data(), Secret::k_size) != 1 ||
        EVP_DigestUpdate(m_context.get(), page, k_page_size) != 1 ||
        EVP_DigestFinal_ex(m_context.get(), digest.data(), nullptr) != 1)
        return fail(Code::internal, "OpenSSL cannot compute SHA-256");
    PageHash hash;
    std::copy_n(digest.begin(), hash.size(), hash.begin());
    return hash;
}

} // namespace ckpt::store
