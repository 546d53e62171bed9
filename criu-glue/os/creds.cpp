// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/creds.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace ckpt {

namespace {

constexpr int k_last_capability = 63;

Status set_capabilities(CapabilitySet kept) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    for (unsigned i = 0; i < 2; ++i) {
        const auto part = static_cast<std::uint32_t>(kept >> (32 * i));
        data.at(i) = {.effective = part, .permitted = part, .inheritable = part};
    }
    if (::syscall(SYS_capset, &header, data.data()) != 0) return fail_errno(Code::os, "set capabilities");
    for (int cap = 0; cap <= k_last_capability; ++cap)
        if ((kept >> cap & 1) != 0 && ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) != 0)
            return fail_errno(Code::os, "raise ambient capability " + std::to_string(cap));
    return {};
}

Status switch_ids(const Identity& identity) {
    if (identity.uid == 0) return fail(Code::not_permitted, "refusing to drop to uid 0");
    if (::setgroups(identity.groups.size(), identity.groups.data()) != 0)
        return fail_errno(Code::os, "set the user's groups");
    if (::setresgid(identity.gid, identity.gid, identity.gid) != 0)
        return fail_errno(Code::os, "set the user's gid");
    if (::setresuid(identity.uid, identity.uid, identity.uid) != 0)
        return fail_errno(Code::os, "set the user's uid");
    return {};
}

} // namespace

Status drop_to(const Identity& identity) {
    CKPT_CHECK(switch_ids(identity)); // uid 0 -> non-zero in all three ids clears every capability set
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        return fail_errno(Code::os, "clear ambient capabilities");
    CKPT_CHECK(set_capabilities(0));
    if (::setresuid(static_cast<uid_t>(-1), 0, static_cast<uid_t>(-1)) == 0)
        return fail(Code::internal, "a drop to the user could be undone");
    return {};
}

Status drop_to_keeping(const Identity& identity, CapabilitySet kept) {
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return fail_errno(Code::os, "keep capabilities");
    CKPT_CHECK(switch_ids(identity));
    return set_capabilities(kept);
}

} // namespace ckpt
