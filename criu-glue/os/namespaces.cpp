// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/namespaces.hpp"

#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "os/procfs.hpp"

namespace ckpt {

Result<NamespaceId> namespace_id(int fd) {
    struct stat st{};
    if (::fstat(fd, &st) != 0) return fail_errno(Code::os, "look at a namespace");
    NamespaceId id{st.st_dev, st.st_ino, 0};
    // Fails on other kinds of namespaces and on older kernels.
    if (::ioctl(fd, NS_GET_MNTNS_ID, &id.unique) != 0) id.unique = 0;
    return id;
}

Result<Fd> open_namespace(pid_t pid, const std::string& name, const NamespaceId& wanted) {
    CKPT_TRY(Fd fd, open_namespace(pid, name));
    CKPT_TRY(const NamespaceId id, namespace_id(fd.get()));
    if (id != wanted)
        return fail(Code::not_found, "pid " + std::to_string(pid) + " is in another " + name + " namespace");
    return fd;
}

} // namespace ckpt
