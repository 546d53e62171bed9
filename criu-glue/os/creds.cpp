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

// Needs CAP_SETPCAP: before the ids change.
Status empty_bounding_set() {
    for (int cap = 0; cap <= k_last_capability; ++cap)
        if (::prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 && ::prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
            return fail_errno(Code::os, "give up capability " + std::to_string(cap) + " for good");
    return {};
}

// Whoever trusts a process that was root looks at what the kernel says of it, not at what it was told.
Status check_dropped(const Identity& identity) {
    constexpr auto k_same = static_cast<uid_t>(-1);
    uid_t real = 0;
    uid_t effective = 0;
    uid_t saved = 0;
    ::getresuid(&real, &effective, &saved);
    bool dropped = real == identity.uid && effective == identity.uid && saved == identity.uid;
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    dropped = dropped && ::syscall(SYS_capget, &header, data.data()) == 0;
    for (const auto& part : data)
        dropped = dropped && part.effective == 0 && part.permitted == 0 && part.inheritable == 0;
    for (int cap = 0; cap <= k_last_capability; ++cap)
        dropped = dropped && ::prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 1 &&
                  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) != 1;
    dropped = dropped && ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && ::setresuid(k_same, 0, k_same) != 0;
    if (!dropped) return fail(Code::internal, "a drop to the user could be undone");
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

Result<Root> Root::claim() {
    if (::geteuid() != 0) return fail(Code::not_permitted, "this needs the rights of root");
    return Root();
}

Status drop_to(Root /*root*/, const Identity& identity) {
    CKPT_CHECK(empty_bounding_set());
    CKPT_CHECK(switch_ids(identity)); // uid 0 -> non-zero in all three ids clears every capability set
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        return fail_errno(Code::os, "clear ambient capabilities");
    CKPT_CHECK(set_capabilities(0));
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail_errno(Code::os, "give up privileges to come");
    return check_dropped(identity);
}

Status drop_to_keeping(Root /*root*/, const Identity& identity, CapabilitySet kept) {
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return fail_errno(Code::os, "keep capabilities");
    CKPT_CHECK(switch_ids(identity));
    return set_capabilities(kept);
}

} // namespace ckpt
