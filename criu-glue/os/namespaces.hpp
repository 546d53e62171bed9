// SPDX-License-Identifier: GPL-2.0-or-later
// Which namespace a descriptor stands for, in a form that can be kept on file.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

// The kernel gives the inode number of a namespace that is gone to a new one (fs/nsfs.c, proc_alloc_inum);
// `unique` it never gives twice. Linux has it for mount namespaces since 6.12 (NS_GET_MNTNS_ID), 0 = not
// known.
struct NamespaceId {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t unique = 0;
    template <class V>
    void fields(V& v) {
        v(device, inode, unique);
    }
    bool operator==(const NamespaceId&) const = default;
};

Result<NamespaceId> namespace_id(int fd);

// The namespace /proc/PID/ns/NAME ("mnt", "pid") if it is `wanted`; Code::not_found if it is another one.
Result<Fd> open_namespace(pid_t pid, const std::string& name, const NamespaceId& wanted);

} // namespace ckpt
