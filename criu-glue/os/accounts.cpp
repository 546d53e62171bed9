// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/accounts.hpp"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <vector>

namespace ckpt {

Result<Identity> identity_of(uid_t uid, gid_t gid) {
    std::vector<char> buffer(16384);
    passwd entry{};
    passwd* found = nullptr;
    while (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == ERANGE)
        buffer.resize(buffer.size() * 2);
    if (found == nullptr) return fail(Code::not_found, "no user with uid " + std::to_string(uid));
    int count = 64;
    std::vector<gid_t> groups(64);
    if (::getgrouplist(found->pw_name, gid, groups.data(), &count) < 0) {
        groups.resize(static_cast<std::size_t>(count));
        if (::getgrouplist(found->pw_name, gid, groups.data(), &count) < 0)
            return fail(Code::os, "cannot list the groups of uid " + std::to_string(uid));
    }
    groups.resize(static_cast<std::size_t>(count));
    return Identity{uid, gid, std::move(groups)};
}

Result<Identity> account(const std::string& name) {
    const passwd* entry = ::getpwnam(name.c_str()); // NOLINT(concurrency-mt-unsafe): one thread
    if (entry == nullptr)
        return fail(Code::not_found, "there is no account " + name + " on this node",
                    "systemd-sysusers makes it, or useradd --system " + name);
    if (entry->pw_uid == 0) return fail(Code::not_permitted, "the account " + name + " is root's");
    return Identity{entry->pw_uid, entry->pw_gid, {}};
}

} // namespace ckpt
