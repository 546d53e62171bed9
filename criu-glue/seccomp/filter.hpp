// SPDX-License-Identifier: GPL-2.0-or-later
// What a worker can ask of the kernel when somebody has taken it over.
#pragma once

#include "result/result.hpp"

namespace ckpt {

// From here on, and for good, this process can read, write, make, rename and remove files, talk over the
// sockets it has, sleep, and have memory and threads; every other system call fails with ENOSYS. It starts no
// program, opens no socket, attaches to no process, changes no identity, namespace or mount. Sets
// no_new_privs. Only for a process with one thread. Code::os where the kernel has no seccomp
// (CONFIG_SECCOMP_FILTER).
Status allow_only_files();

} // namespace ckpt
