// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "result/result.hpp"

struct evp_md_ctx_st; // EVP_MD_CTX

namespace ckpt::store {

// SHA-256 of bytes that come piece by piece.
class Sha256 {
public:
    static Result<Sha256> start();
    Status add(std::string_view bytes);
    Result<std::string> finish(); // 64 lower-case hex digits

private:
    struct Free {
        void operator()(evp_md_ctx_st* context) const;
    };
    explicit Sha256(evp_md_ctx_st* context) : m_context(context) {}
    std::unique_ptr<evp_md_ctx_st, Free> m_context;
};

} // namespace ckpt::store
