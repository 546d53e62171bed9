// SPDX-License-Identifier: GPL-2.0-or-later
// The cluster key: one file that only root reads, the same on every node (docs/format.md, "Key file").
#pragma once

#include <sys/types.h>

#include <string>

#include "result/result.hpp"
#include "store/secret.hpp"

namespace ckpt::store {

struct ClusterKey {
    std::string id; // 16 hex digits, printed in seals and messages; not secret
    Secret secret;
};

// Code::store_key when the file is missing, a link, not `owner`'s alone (mode 0600 or 0400), or not a key
// file. `owner` is root everywhere but in tests.
Result<ClusterKey> load_key(const std::string& path, uid_t owner = 0);

// Writes a new random key to `path`, mode 0600. An existing file is never replaced (Code::store_key): every
// generation sealed with it would be lost.
Status create_key(const std::string& path);

} // namespace ckpt::store
