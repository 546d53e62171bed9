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

// The user whose job it is. A function that takes one acts with that user's rights, or hands something to
// that user.
struct JobUser : Identity {};

// The rights of uid 0, as a value: what acts with them takes one, so that a signature says who acts, Root or
// a JobUser. main() claims it and hands it down.
class Root {
public:
    // Code::not_permitted where this process has them not.
    static Result<Root> claim();

private:
    Root() = default;
};

using CapabilitySet = std::uint64_t; // bit N = capability N of <linux/capability.h>

// Real, effective, saved and file-system ids become `identity`'s, all capabilities go, those that a program
// could bring back too (bounding set, no_new_privs), and all of it is looked at afterwards. Not for what
// becomes a process of a job: sudo would not work there. For forked children only; async-signal-safe apart
// from the error text.
Status drop_to(Root root, const Identity& identity);

// As drop_to, but the capabilities in `kept` stay permitted, effective and ambient, so that they survive
// execve.
Status drop_to_keeping(Root root, const Identity& identity, CapabilitySet kept);

} // namespace ckpt
