// SPDX-License-Identifier: GPL-2.0-or-later
// One block of a file of blocks, sealed and opened: zstd inside AES-256-GCM, under a key that belongs to this
// one file (docs/format-images.md, "Blocks").
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "result/result.hpp"
#include "store/seal.hpp"

struct evp_cipher_ctx_st; // EVP_CIPHER_CTX
struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace ckpt::store {

inline constexpr std::size_t k_page_size = 4096;
inline constexpr std::size_t k_block_pages = 64;
inline constexpr std::size_t k_block_size = k_block_pages * k_page_size; // plaintext, at most
inline constexpr std::size_t k_seal_overhead = 17; // what says how it is packed; the tag

enum class BlockKind { index, pack };

// 32 random hex digits: a file's id. The key of its blocks comes from it, so none may be used twice.
Result<std::string> new_file_id();
// 32 lower-case hex digits.
bool is_file_id(std::string_view id);

struct FreeCipher {
    void operator()(evp_cipher_ctx_st* context) const;
};

class BlockSealer {
public:
    // `level`: zstd's.
    static Result<BlockSealer> start(const SealKey& key, std::string_view file_id, BlockKind kind, int level);
    // Block `number`, sealed; valid until the next call. No number twice; 1 to k_block_size bytes.
    Result<std::string_view> seal(std::uint64_t number, std::string_view plain);

private:
    struct FreeCompressor {
        void operator()(ZSTD_CCtx_s* context) const;
    };
    BlockSealer() = default;

    std::unique_ptr<evp_cipher_ctx_st, FreeCipher> m_cipher;
    std::unique_ptr<ZSTD_CCtx_s, FreeCompressor> m_compressor;
    std::string_view m_kind;
    std::vector<char> m_packed;
    std::vector<char> m_sealed;
};

class BlockOpener {
public:
    static Result<BlockOpener> start(const SealKey& key, std::string_view file_id, BlockKind kind);
    // False when it does not authenticate. Code::store_corrupt when it does, and is no block all the same.
    Result<bool> open(std::uint64_t number, std::string_view sealed, std::vector<char>& plain);

private:
    struct FreeDecompressor {
        void operator()(ZSTD_DCtx_s* context) const;
    };
    BlockOpener() = default;
    Status unpack(std::string_view packed, std::vector<char>& plain);

    std::unique_ptr<evp_cipher_ctx_st, FreeCipher> m_cipher;
    std::unique_ptr<ZSTD_DCtx_s, FreeDecompressor> m_decompressor;
    std::string_view m_kind;
    std::vector<char> m_packed;
};

} // namespace ckpt::store
