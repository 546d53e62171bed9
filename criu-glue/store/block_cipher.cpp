// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/block_cipher.hpp"

#include <openssl/evp.h>
#include <sys/random.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <format>

#include "crypto/hkdf.hpp"
#include "store/hex.hpp"

namespace ckpt::store {
namespace {

constexpr std::string_view k_salt = "slurm-checkpoint/2";
constexpr std::size_t k_tag_size = 16;
constexpr std::size_t k_nonce_size = 12;
constexpr char k_raw = 0;
constexpr char k_zstd = 1;
constexpr int k_encrypt = 1;
constexpr int k_decrypt = 0;

using Cipher = std::unique_ptr<evp_cipher_ctx_st, FreeCipher>;

std::string_view kind_text(BlockKind kind) {
    return kind == BlockKind::index ? "index" : "pack";
}

const unsigned char* octets(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* octets(char* bytes) {
    return reinterpret_cast<unsigned char*>(bytes);
}

tl::unexpected<Error> no_gcm() {
    return fail(Code::internal, "OpenSSL cannot do AES-256-GCM");
}

// A context that keeps the file's key; each block gives it a nonce.
Result<Cipher> keyed(const SealKey& key, std::string_view file_id, int direction) {
    if (!is_file_id(file_id)) return fail(Code::internal, "not the id of a file of blocks");
    Secret file_key;
    CKPT_CHECK(
        hkdf_sha256(key.secret.bytes(), k_salt, std::format("blocks|{}", file_id), file_key.writable()));
    Cipher cipher(EVP_CIPHER_CTX_new());
    if (!cipher ||
        EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, nullptr, nullptr, direction) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_IVLEN, k_nonce_size, nullptr) != 1 ||
        EVP_CipherInit_ex(cipher.get(), nullptr, nullptr, file_key.bytes().data(), nullptr, direction) != 1)
        return no_gcm();
    return cipher;
}

// The nonce is the number of the block, big-endian; what is authenticated besides is what kind of file it is.
bool begin(EVP_CIPHER_CTX* cipher, std::uint64_t number, std::string_view kind) {
    std::array<unsigned char, k_nonce_size> nonce{};
    for (std::size_t i = 0; i < sizeof number; ++i)
        nonce[k_nonce_size - 1 - i] = static_cast<unsigned char>(number >> (8 * i));
    int ignored = 0;
    return EVP_CipherInit_ex(cipher, nullptr, nullptr, nullptr, nonce.data(), -1) == 1 &&
           EVP_CipherUpdate(cipher, nullptr, &ignored, octets(kind), static_cast<int>(kind.size())) == 1;
}

bool update(EVP_CIPHER_CTX* cipher, std::string_view from, char* to) {
    int done = 0;
    return EVP_CipherUpdate(cipher, octets(to), &done, octets(from), static_cast<int>(from.size())) == 1 &&
           static_cast<std::size_t>(done) == from.size();
}

} // namespace

Result<std::string> new_file_id() {
    std::array<unsigned char, 16> bytes{};
    for (;;) {
        const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
        if (got == static_cast<ssize_t>(bytes.size())) return to_hex(bytes);
        if (got < 0 && errno != EINTR) return fail_errno(Code::os, "get random bytes");
    }
}

bool is_file_id(std::string_view id) {
    return id.size() == 32 && std::ranges::all_of(id, [](char c) { return hex_value(c) >= 0; });
}

void FreeCipher::operator()(evp_cipher_ctx_st* context) const {
    EVP_CIPHER_CTX_free(context); // wipes the key
}
void BlockSealer::FreeCompressor::operator()(ZSTD_CCtx_s* context) const {
    ZSTD_freeCCtx(context);
}
void BlockOpener::FreeDecompressor::operator()(ZSTD_DCtx_s* context) const {
    ZSTD_freeDCtx(context);
}

Result<BlockSealer> BlockSealer::start(const SealKey& key, std::string_view file_id, BlockKind kind,
                                       int level) {
    BlockSealer sealer;
    CKPT_TRY(sealer.m_cipher, keyed(key, file_id, k_encrypt));
    sealer.m_compressor.reset(ZSTD_createCCtx());
    if (!sealer.m_compressor ||
        ZSTD_isError(ZSTD_CCtx_setParameter(sealer.m_compressor.get(), ZSTD_c_compressionLevel, level)) != 0)
        return fail(Code::internal, std::format("zstd cannot compress at level {}", level));
    sealer.m_kind = kind_text(kind);
    sealer.m_packed.resize(k_block_size);
    sealer.m_sealed.resize(k_block_size + k_seal_overhead);
    return sealer;
}

Result<std::string_view> BlockSealer::seal(std::uint64_t number, std::string_view plain) {
    if (plain.empty() || plain.size() > k_block_size) return fail(Code::internal, "not the size of a block");
    // One byte less than it is: else it is not worth it, and the error says so.
    const std::size_t packed =
        ZSTD_compress2(m_compressor.get(), m_packed.data(), plain.size() - 1, plain.data(), plain.size());
    const bool smaller = ZSTD_isError(packed) == 0;
    const char method = smaller ? k_zstd : k_raw;
    const std::string_view inside = smaller ? std::string_view(m_packed.data(), packed) : plain;
    char* const tag = m_sealed.data() + 1 + inside.size();
    int ignored = 0;
    if (!begin(m_cipher.get(), number, m_kind) || !update(m_cipher.get(), {&method, 1}, m_sealed.data()) ||
        !update(m_cipher.get(), inside, m_sealed.data() + 1) ||
        EVP_CipherFinal_ex(m_cipher.get(), octets(tag), &ignored) != 1 ||
        EVP_CIPHER_CTX_ctrl(m_cipher.get(), EVP_CTRL_AEAD_GET_TAG, k_tag_size, tag) != 1)
        return no_gcm();
    return std::string_view(m_sealed.data(), inside.size() + k_seal_overhead);
}

Result<BlockOpener> BlockOpener::start(const SealKey& key, std::string_view file_id, BlockKind kind) {
    BlockOpener opener;
    CKPT_TRY(opener.m_cipher, keyed(key, file_id, k_decrypt));
    opener.m_decompressor.reset(ZSTD_createDCtx());
    if (!opener.m_decompressor) return fail(Code::internal, "zstd cannot decompress");
    opener.m_kind = kind_text(kind);
    opener.m_packed.resize(k_block_size + 1);
    return opener;
}

Result<bool> BlockOpener::open(std::uint64_t number, std::string_view sealed, std::vector<char>& plain) {
    if (sealed.size() <= k_seal_overhead || sealed.size() > k_block_size + k_seal_overhead) return false;
    const std::string_view inside = sealed.substr(0, sealed.size() - k_tag_size);
    std::array<char, k_tag_size> tag{}; // OpenSSL wants it writable
    std::ranges::copy(sealed.substr(inside.size()), tag.begin());
    if (!begin(m_cipher.get(), number, m_kind) || !update(m_cipher.get(), inside, m_packed.data()) ||
        EVP_CIPHER_CTX_ctrl(m_cipher.get(), EVP_CTRL_AEAD_SET_TAG, k_tag_size, tag.data()) != 1)
        return no_gcm();
    std::array<unsigned char, k_tag_size> nothing{};
    int ignored = 0;
    if (EVP_CipherFinal_ex(m_cipher.get(), nothing.data(), &ignored) != 1) return false;
    CKPT_CHECK(unpack({m_packed.data(), inside.size()}, plain));
    return true;
}

Status BlockOpener::unpack(std::string_view packed, std::vector<char>& plain) {
    const char method = packed.front();
    packed.remove_prefix(1);
    if (method == k_raw) {
        plain.assign(packed.begin(), packed.end());
        return {};
    }
    // Errors are numbers above every size.
    const unsigned long long size = ZSTD_getFrameContentSize(packed.data(), packed.size());
    if (method != k_zstd || size == 0 || size > k_block_size)
        return fail(Code::store_corrupt, "a block of another format");
    plain.resize(size);
    if (ZSTD_decompressDCtx(m_decompressor.get(), plain.data(), size, packed.data(), packed.size()) != size)
        return fail(Code::store_corrupt, "a block that does not unpack");
    return {};
}

} // namespace ckpt::store
