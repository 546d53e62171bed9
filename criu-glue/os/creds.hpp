// SPDX-License-Identifier: GPL-2.0-or-later
// Identities, and drops of privilege that are verified to be irreversible.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "result/result.hpp"

namespace ckpt {

struct Identity {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups; // supplementary
};

using CapabilitySet = std::uint64_t; // bit N = capability N of <linux/capability.h>

// Real, effective, saved and file-system ids become `identity`'s, all capabilities go, and that setuid(0)
// fails afterwards is checked. For forked children only; async-signal-safe apart from the error text.
Status drop_to(const Identity& identity);

// As drop_to, but the capabilities in `kept` stay permitted, effective and ambient, so that they survive
// execve.
Status drop_to_keeping(const Identity& identity, CapabilitySet kept);

} // namespace ckpt
