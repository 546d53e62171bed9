// SPDX-License-Identifier: GPL-2.0-or-later
#include "link/frame.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace ckpt {
namespace {

constexpr std::size_t k_nonce_size = 12;
constexpr int k_encrypt = 1;
constexpr int k_decrypt = 0;
constexpr std::uint64_t k_last = std::numeric_limits<std::uint64_t>::max(); // never used

const unsigned char* octets(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* octets(char* bytes) {
    return reinterpret_cast<unsigned char*>(bytes);
}

tl::unexpected<Error> no_gcm() {
    return fail(Code::internal, "OpenSSL cannot do AES-256-GCM");
}

// A context that keeps the key; each frame gives it a nonce.
Result<FrameCipher> keyed(std::string_view key, int direction) {
    if (key.size() != k_link_key_size) return fail(Code::internal, "a link's key has the wrong length");
    FrameCipher cipher(EVP_CIPHER_CTX_new());
    if (!cipher ||
        EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, nullptr, nullptr, direction) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_IVLEN, k_nonce_size, nullptr) != 1 ||
        EVP_CipherInit_ex(cipher.get(), nullptr, nullptr, octets(key), nullptr, direction) != 1)
        return no_gcm();
    return cipher;
}

// The nonce is the number, big-endian.
bool begin(EVP_CIPHER_CTX* cipher, std::uint64_t number, std::string_view head) {
    std::array<unsigned char, k_nonce_size> nonce{};
    for (std::size_t i = 0; i < sizeof number; ++i)
        nonce.at(k_nonce_size - 1 - i) = static_cast<unsigned char>(number >> (8 * i));
    int ignored = 0;
    return EVP_CipherInit_ex(cipher, nullptr, nullptr, nullptr, nonce.data(), -1) == 1 &&
           EVP_CipherUpdate(cipher, nullptr, &ignored, octets(head), static_cast<int>(head.size())) == 1;
}

bool update(EVP_CIPHER_CTX* cipher, std::string_view from, char* to) {
    if (from.empty()) return true;
    int done = 0;
    return EVP_CipherUpdate(cipher, octets(to), &done, octets(from), static_cast<int>(from.size())) == 1 &&
           static_cast<std::size_t>(done) == from.size();
}

} // namespace

void FreeFrameCipher::operator()(evp_cipher_ctx_st* context) const {
    EVP_CIPHER_CTX_free(context);
}

Result<FrameSealer> FrameSealer::start(std::string_view key, std::uint64_t next) {
    FrameSealer sealer;
    CKPT_TRY(sealer.m_cipher, keyed(key, k_encrypt));
    sealer.m_next = next;
    return sealer;
}

Status FrameSealer::seal(std::string_view message, std::string& out) {
    constexpr std::size_t k_int = std::numeric_limits<int>::max(); // OpenSSL's sizes
    if (m_next == k_last || message.size() > k_int - k_frame_tag)
        return fail(Code::internal, "a link that cannot send any more, or a frame too long");
    const std::size_t size = message.size() + k_frame_tag;
    const std::size_t start = out.size();
    out.resize(start + k_frame_head + size);
    char* const head = out.data() + start;
    for (std::size_t i = 0; i < k_frame_head; ++i)
        head[i] = static_cast<char>(size >> (8 * i) & 0xffU);
    char* const body = head + k_frame_head;
    char* const tag = body + message.size();
    int ignored = 0;
    if (!begin(m_cipher.get(), m_next++, {head, k_frame_head}) || !update(m_cipher.get(), message, body) ||
        EVP_CipherFinal_ex(m_cipher.get(), octets(tag), &ignored) != 1 ||
        EVP_CIPHER_CTX_ctrl(m_cipher.get(), EVP_CTRL_AEAD_GET_TAG, k_frame_tag, tag) != 1) {
        out.resize(start);
        return no_gcm();
    }
    return {};
}

Result<FrameOpener> FrameOpener::start(std::string_view key, std::uint64_t next) {
    FrameOpener opener;
    CKPT_TRY(opener.m_cipher, keyed(key, k_decrypt));
    opener.m_next = next;
    return opener;
}

Result<std::string> FrameOpener::open(std::string_view frame) {
    const auto refused = [] {
        return fail(Code::not_permitted, "what has come over the connection is not what the other node sent");
    };
    if (m_next == k_last || frame.size() < k_frame_head + k_frame_tag) return refused();
    const std::string_view head = frame.substr(0, k_frame_head);
    const std::string_view body = frame.substr(k_frame_head, frame.size() - k_frame_head - k_frame_tag);
    std::array<char, k_frame_tag> tag{}; // OpenSSL wants it writable
    std::ranges::copy(frame.substr(frame.size() - k_frame_tag), tag.begin());
    std::string message(body.size(), '\0');
    if (!begin(m_cipher.get(), m_next++, head) || !update(m_cipher.get(), body, message.data()) ||
        EVP_CIPHER_CTX_ctrl(m_cipher.get(), EVP_CTRL_AEAD_SET_TAG, k_frame_tag, tag.data()) != 1)
        return no_gcm();
    std::array<unsigned char, k_frame_tag> nothing{};
    int ignored = 0;
    if (EVP_CipherFinal_ex(m_cipher.get(), nothing.data(), &ignored) != 1) return refused();
    return message;
}

} // namespace ckpt
