// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/criu_rights.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr CapabilitySet bit(unsigned capability) {
    return CapabilitySet{1} << capability;
}

// CAP_SETUID must stay out of every list: with it and --unprivileged, CRIU makes itself uid 0 again
// (namespaces.c:prepare_userns_creds).
constexpr CapabilitySet k_dump = bit(CAP_CHECKPOINT_RESTORE) | // map_files
                                 bit(CAP_DAC_READ_SEARCH);     // linkat(2) of a descriptor; file handles
// Tasks with another gid or that have forbidden dumps of themselves. Not for others: with it criu could be
// made to seize a process of somebody else's that got a task's pid.
constexpr CapabilitySet k_closed_task = bit(CAP_SYS_PTRACE) | bit(CAP_SYS_RESOURCE);
constexpr CapabilitySet k_restore = bit(CAP_CHECKPOINT_RESTORE) | // clone3(2) with a chosen pid, the exe link
                                    bit(CAP_SETPCAP) |            // restorer.c drops the bounding set
                                    bit(CAP_SYS_RESOURCE);        // limits and oom_score_adj as they were
constexpr CapabilitySet k_tcp = bit(CAP_NET_ADMIN);               // TCP_REPAIR
constexpr CapabilitySet k_seccomp = bit(CAP_SYS_ADMIN);
constexpr CapabilitySet k_ipc =
    bit(CAP_SYS_ADMIN) | bit(CAP_IPC_OWNER); // setns(2), clone(2); segments of any mode

// What of `wanted` this process itself has: containers may lack some, and a missing one must not end
// everything.
CapabilitySet available(CapabilitySet wanted) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) return 0;
    return wanted & (CapabilitySet{data[0].permitted} | CapabilitySet{data[1].permitted} << 32);
}

// An image that holds more than its two magics.
bool has_entries(int images, const std::string& name) {
    struct stat st{};
    return ::fstatat(images, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 8;
}

// seccomp.img always holds one message, of size 0 without filters.
bool has_seccomp(int images) {
    struct stat st{};
    return ::fstatat(images, "seccomp.img", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 12;
}

} // namespace

CapabilitySet rights_for_dump(const std::vector<Member>& members, bool ipc_dumped) {
    CapabilitySet rights = k_dump;
    if (ipc_dumped) rights |= k_ipc;
    for (const Member& member : members) {
        if (member.closed) rights |= k_closed_task;
        if (!member.sockets.empty()) rights |= k_tcp;
        if (member.seccomp) rights |= k_seccomp;
    }
    return available(rights);
}

Result<CapabilitySet> rights_for_restore(int images, bool other_gids) {
    CapabilitySet rights = k_restore;
    if (other_gids) rights |= bit(CAP_SETGID);
    if (has_seccomp(images)) rights |= k_seccomp;
    CKPT_TRY(const auto names, list_dir(images));
    for (const std::string& name : names) {
        if (name.starts_with("ipcns-") && has_entries(images, name)) rights |= k_ipc;
        if (name.starts_with("tcp-stream-")) rights |= k_tcp;
    }
    return available(rights);
}

Status give_images_to(Root /*root*/, int images, uid_t uid, gid_t gid) {
    if (::fchown(images, uid, gid) != 0)
        return fail_errno(Code::os, "change the owner of the image directory");
    CKPT_TRY(const auto names, list_dir(images));
    for (const std::string& name : names)
        if (::fchownat(images, name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
            return fail_errno(Code::os, "change the owner of the images");
    return {};
}

Status give_pipe_to(Root /*root*/, int fd, uid_t uid, gid_t gid) {
    struct statfs fs{};
    if (::fstatfs(fd, &fs) != 0) return fail_errno(Code::os, "look at a pipe");
    if (fs.f_type != PIPEFS_MAGIC) return {};
    if (::fchown(fd, uid, gid) != 0) return fail_errno(Code::os, "change the owner of a pipe");
    return {};
}

} // namespace ckpt
