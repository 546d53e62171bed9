// SPDX-License-Identifier: GPL-2.0-or-later
// One direction of a link: frame = 32-bit length of the rest, little endian; ciphertext; tag of 16 bytes.
// AES-256-GCM with the number of the frame as its nonce, counted from 0, and the length authenticated too. A
// key serves one direction of one connection, so no nonce is used twice, and a frame that was left out,
// repeated, moved or turned back to its sender does not verify.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "result/result.hpp"

struct evp_cipher_ctx_st; // OpenSSL's EVP_CIPHER_CTX

namespace ckpt {

constexpr std::size_t k_link_key_size = 32;
constexpr std::size_t k_frame_head = 4;
constexpr std::size_t k_frame_tag = 16;

struct FreeFrameCipher {
    void operator()(evp_cipher_ctx_st* context) const; // wipes the key
};
using FrameCipher = std::unique_ptr<evp_cipher_ctx_st, FreeFrameCipher>;

class FrameSealer {
public:
    // `next` is the number of the first frame.
    static Result<FrameSealer> start(std::string_view key, std::uint64_t next = 0);
    // Appends the frame of `message` to `out`. Code::internal when all numbers are used.
    Status seal(std::string_view message, std::string& out);

private:
    FrameCipher m_cipher;
    std::uint64_t m_next = 0;
};

class FrameOpener {
public:
    static Result<FrameOpener> start(std::string_view key, std::uint64_t next = 0);
    // The message in a whole frame, its head included. Code::not_permitted when it does not verify, or when
    // all numbers are used.
    Result<std::string> open(std::string_view frame);

private:
    FrameCipher m_cipher;
    std::uint64_t m_next = 0;
};

} // namespace ckpt
