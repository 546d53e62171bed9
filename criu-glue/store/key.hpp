// SPDX-License-Identifier: GPL-2.0-or-later
// The cluster's keys: one file that only root reads, the same on every node (docs/format.md, "Key file").
// The first key seals, all of them open, so that a key can be replaced while the cluster is at work.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/secret.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt::store {

struct ClusterKey {
    std::string id; // 16 hex digits, printed in seals and messages; not secret
    Secret secret;
};

constexpr std::size_t k_keys_max = 16;

// The keys of one file in its order, 1 to k_keys_max of them, no two with the same id.
class ClusterKeys {
public:
    explicit ClusterKeys(std::vector<ClusterKey> keys) : m_keys(std::move(keys)) {}

    [[nodiscard]] const ClusterKey& sealing() const { return m_keys.front(); }
    [[nodiscard]] const ClusterKey* find(std::string_view id) const; // nullptr: there is none
    [[nodiscard]] std::span<const ClusterKey> all() const { return m_keys; }
    [[nodiscard]] std::vector<ClusterKey> take() && { return std::move(m_keys); }

private:
    std::vector<ClusterKey> m_keys;
};

// Opens a key file for load_keys(), here or in a process that may not open it itself. What is behind the
// descriptor is judged there. Code::store_key.
Result<Fd> open_key_file(const std::string& path);

// Reads the key file behind `fd`, from its beginning, wherever the descriptor's offset is; `path` is for
// messages. Code::store_key when it is not a regular file, not `owner`'s alone (mode 0600 or 0400), or not a
// key file. `owner` is root everywhere but in tests.
Result<ClusterKeys> load_keys(int fd, const std::string& path, uid_t owner = 0);
Result<ClusterKeys> load_keys(const std::string& path, uid_t owner = 0);

// The key that seals.
Result<ClusterKey> load_key(const std::string& path, uid_t owner = 0);

// Writes a file with one new random key to `path`, mode 0600. An existing file is never replaced
// (Code::store_key): every generation sealed with it would be lost.
Status create_key(const std::string& path);

// Changes to a key file: all of it is written anew and renamed into place, durable when they return; whoever
// reads it meanwhile gets the old file or the new one. Two changes at once: one of them is refused
// (Code::store_key), as are ids that are not in the file.

// Appends a new random key, which opens and does not seal yet. Returns its id.
Result<std::string> add_key(const std::string& path, uid_t owner = 0);
// Makes `id` the key that seals.
Status use_key(const std::string& path, const std::string& id, uid_t owner = 0);
// Removes a key. The one that seals is refused.
Status remove_key(const std::string& path, const std::string& id, uid_t owner = 0);

} // namespace ckpt::store
