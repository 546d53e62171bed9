// SPDX-License-Identifier: GPL-2.0-or-later
// Seals: a text whose last line proves that a holder of the cluster key wrote it for this very job
// (docs/format.md, "Sealed files"). CRIU restores uids, capabilities and registers as the images say them, so
// nothing unsealed ever reaches it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/secret.hpp"
#include "store/key.hpp"
#include "store/names.hpp"

namespace ckpt::store {

// The key of one job: a seal made for another user, job or cluster never verifies, whatever it says.
struct SealKey {
    std::string id; // of the cluster key
    Secret secret;
};
Result<SealKey> derive_seal_key(const ClusterKey& key, const Owner& owner);

// The keys of one job, one for each of the cluster's.
struct JobKeys {
    std::vector<SealKey> all;
    [[nodiscard]] const SealKey& sealing() const { return all.front(); }
    // nullptr: this node does not know it.
    [[nodiscard]] const SealKey* find(std::string_view id) const;
};
// Code::store_key without any key.
Result<JobKeys> derive_job_keys(std::span<const ClusterKey> keys, const Owner& owner);

// `body` (which ends with a newline) and its seal.
Result<std::string> seal(std::string body, const SealKey& key);

// The body of a sealed text; Code::store_corrupt when the seal is missing, of a key that is not here, or
// wrong.
Result<std::string_view> unseal(std::string_view text, const JobKeys& keys);

} // namespace ckpt::store
