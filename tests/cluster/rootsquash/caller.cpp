// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright the slurm-checkpoint authors
#include "caller.hpp"

#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace rootsquash {

namespace {

constexpr unsigned k_nobody = 65534;
constexpr int k_groups_max = 1024;

unsigned squash(unsigned id) {
    return id == 0 ? k_nobody : id;
}

// setfsuid(2) tells nobody that it has failed, and root's rights would be the wrong ones to go on with.
void become(uid_t uid, gid_t gid, const std::vector<gid_t>& groups) {
    ::setfsuid(0);
    const bool grouped = ::syscall(SYS_setgroups, groups.size(), groups.data()) == 0;
    ::setfsgid(gid);
    ::setfsuid(uid);
    if (!grouped || static_cast<gid_t>(::setfsgid(gid)) != gid || static_cast<uid_t>(::setfsuid(uid)) != uid)
        std::abort();
}

} // namespace

Caller caller_of(fuse_req_t request) {
    const fuse_ctx* context = ::fuse_req_ctx(request);
    Caller caller{squash(context->uid), squash(context->gid), std::vector<gid_t>(k_groups_max)};
    const int count =
        ::fuse_req_getgroups(request, k_groups_max, caller.groups.data()); // from /proc; it may have ended
    caller.groups.resize(static_cast<std::size_t>(std::clamp(count, 0, k_groups_max)));
    std::ranges::transform(caller.groups, caller.groups.begin(), squash);
    return caller;
}

Acting::Acting(const Caller& caller) {
    become(caller.uid, caller.gid, caller.groups);
}

Acting::~Acting() {
    become(0, 0, {});
}

} // namespace rootsquash
