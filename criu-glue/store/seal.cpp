// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/seal.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <format>
#include <memory>

#include "store/hex.hpp"

namespace ckpt::store {
namespace {

constexpr std::string_view k_label = "hmac-sha256: ";
constexpr std::string_view k_salt = "slurm-checkpoint/2";

struct FreeKdf {
    void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
    void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

// OSSL_PARAM wants a mutable pointer for input as well; OpenSSL only reads it.
OSSL_PARAM octets(const char* name, std::string_view bytes) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(bytes.data()), bytes.size());
}

Result<std::string> hmac_hex(std::string_view body, const SealKey& key) {
    std::array<unsigned char, 32> mac{};
    if (HMAC(EVP_sha256(), key.secret.bytes().data(), static_cast<int>(Secret::k_size),
             reinterpret_cast<const unsigned char*>(body.data()), body.size(), mac.data(),
             nullptr) == nullptr)
        return fail(Code::internal, "OpenSSL cannot compute HMAC-SHA-256");
    return to_hex(mac);
}

} // namespace

Status hkdf_sha256(std::span<const unsigned char> key, std::string_view salt, std::string_view info,
                   std::span<unsigned char> out) {
    const std::unique_ptr<EVP_KDF, FreeKdf> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
    const std::unique_ptr<EVP_KDF_CTX, FreeKdf> context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
    std::string digest = "SHA256";
    const std::array<OSSL_PARAM, 5> params{
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
        octets(OSSL_KDF_PARAM_KEY, {reinterpret_cast<const char*>(key.data()), key.size()}),
        octets(OSSL_KDF_PARAM_SALT, salt), octets(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
    if (!context || EVP_KDF_derive(context.get(), out.data(), out.size(), params.data()) != 1)
        return fail(Code::internal, "OpenSSL cannot derive a key with HKDF");
    return {};
}

Result<SealKey> derive_seal_key(const ClusterKey& key, const Owner& owner) {
    CKPT_CHECK(check_owner(owner)); // no field can hold the separator
    SealKey derived;
    derived.id = key.id;
    const std::string info =
        std::format("seal|{}|{}|{}|{}", owner.cluster, owner.uid, owner.job_id, owner.uuid);
    CKPT_CHECK(hkdf_sha256(key.secret.bytes(), k_salt, info, derived.secret.writable()));
    return derived;
}

Result<std::string> seal(std::string body, const SealKey& key) {
    CKPT_TRY(const std::string mac, hmac_hex(body, key));
    body += k_label;
    body += key.id + " " + mac + "\n";
    return body;
}

const SealKey* JobKeys::find(std::string_view id) const {
    const auto at = std::ranges::find(all, id, &SealKey::id);
    return at == all.end() ? nullptr : &*at;
}

Result<JobKeys> derive_job_keys(std::span<const ClusterKey> keys, const Owner& owner) {
    if (keys.empty()) return fail(Code::store_key, "the key file holds no key");
    JobKeys derived;
    for (const ClusterKey& key : keys) {
        CKPT_TRY(SealKey one, derive_seal_key(key, owner));
        derived.all.push_back(std::move(one));
    }
    return derived;
}

Result<std::string_view> unseal(std::string_view text, const JobKeys& keys) {
    if (text.empty() || text.back() != '\n') return fail(Code::store_corrupt, "not sealed, or cut short");
    const std::size_t line_end = text.size() - 1;
    const std::size_t before = text.substr(0, line_end).rfind('\n');
    if (before == std::string_view::npos) return fail(Code::store_corrupt, "not sealed, or cut short");
    const std::string_view body = text.substr(0, before + 1);
    std::string_view line = text.substr(before + 1, line_end - before - 1);
    if (!line.starts_with(k_label)) return fail(Code::store_corrupt, "not sealed, or cut short");
    line.remove_prefix(k_label.size());
    const SealKey* key = keys.find(line.substr(0, line.find(' ')));
    if (key == nullptr)
        return fail(Code::store_corrupt, "sealed with a key that this node's key file does not hold",
                    "every node of the cluster needs the same key file");
    CKPT_TRY(const std::string mac, hmac_hex(body, *key));
    const std::string expected = key->id + " " + mac;
    // Constant time: how far a guess was right must not show.
    if (line.size() != expected.size() || CRYPTO_memcmp(line.data(), expected.data(), expected.size()) != 0)
        return fail(Code::store_corrupt, "the seal does not match: altered, or not made for this job");
    return body;
}

} // namespace ckpt::store
