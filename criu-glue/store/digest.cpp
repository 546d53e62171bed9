// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/digest.hpp"

#include <openssl/evp.h>

#include <array>

#include "store/hex.hpp"

namespace ckpt::store {

void Sha256::Free::operator()(evp_md_ctx_st* context) const {
    EVP_MD_CTX_free(context);
}

Result<Sha256> Sha256::start() {
    Sha256 hash(EVP_MD_CTX_new());
    if (!hash.m_context || EVP_DigestInit_ex2(hash.m_context.get(), EVP_sha256(), nullptr) != 1)
        return fail(Code::internal, "OpenSSL cannot start SHA-256");
    return hash;
}

Status Sha256::add(std::string_view bytes) {
    if (EVP_DigestUpdate(m_context.get(), bytes.data(), bytes.size()) != 1)
        return fail(Code::internal, "OpenSSL cannot compute SHA-256");
    return {};
}

Result<std::string> Sha256::finish() {
    std::array<unsigned char, 32> digest{};
    if (EVP_DigestFinal_ex(m_context.get(), digest.data(), nullptr) != 1)
        return fail(Code::internal, "OpenSSL cannot compute SHA-256");
    return to_hex(digest);
}

} // namespace ckpt::store
