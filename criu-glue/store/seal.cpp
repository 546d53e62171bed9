// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/seal.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <format>

#include "crypto/hkdf.hpp"
#include "store/hex.hpp"

namespace ckpt::store {
namespace {

constexpr std::string_view k_label = "hmac-sha256: ";
constexpr std::string_view k_salt = "slurm-checkpoint/2";

Result<std::string> hmac_hex(std::string_view body, const SealKey& key) {
    std::array<unsigned char, 32> mac{};
    if (HMAC(EVP_sha256(), key.secret.bytes().data(), static_cast<int>(Secret::k_size),
             reinterpret_cast<const unsigned char*>(body.data()), body.size(), mac.data(),
             nullptr) == nullptr)
        return fail(Code::internal, "OpenSSL cannot compute HMAC-SHA-256");
    return to_hex(mac);
}

} // namespace

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
