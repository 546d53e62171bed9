// SPDX-License-Identifier: GPL-2.0-or-later
// What a page of memory is recognised by (docs/format-images.md, "Pages").
#pragma once

#include <array>
#include <memory>

#include "result/result.hpp"
#include "store/seal.hpp"

struct evp_md_ctx_st; // EVP_MD_CTX
struct evp_md_st;     // EVP_MD

namespace ckpt::store {

using PageHash = std::array<unsigned char, 16>;

// Keyed: whoever fills the pages could otherwise look for two that pass for the same one.
class PageHasher {
public:
    static Result<PageHasher> start(const SealKey& key);
    Result<PageHash> hash(const char* page); // k_page_size bytes

private:
    struct Free {
        void operator()(evp_md_ctx_st* context) const;
        void operator()(evp_md_st* digest) const;
    };
    PageHasher() = default;

    Secret m_prefix;
    std::unique_ptr<evp_md_st, Free> m_digest;
    std::unique_ptr<evp_md_ctx_st, Free> m_context;
};

} // namespace ckpt::store
