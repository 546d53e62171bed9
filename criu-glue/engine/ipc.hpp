// SPDX-License-Identifier: GPL-2.0-or-later
// Each step has an IPC namespace of its own. Without SysV objects in it there is nothing to save: criu joins
// it for the dump, and a restore makes a fresh one. With objects criu has to stay outside
// (shmem.c:check_sysvipc_map_dump refuses otherwise), dumps the namespace and restores it.
#pragma once

#include <sys/types.h>

#include "os/creds.hpp"
#include "result/result.hpp"

namespace ckpt {

// Shared memory, queues or semaphores exist in the IPC namespace of `pid`.
Result<bool> has_sysv_objects(Root root, pid_t pid);

// The images hold an IPC namespace.
Result<bool> images_hold_ipc(int images);

// CRIU restores the namespace's sysctls, which only uid 0 may write (kernel ipc/ipc_sysctl.c:ipc_permissions
// knows no capability), and their values are the kernel's defaults anyway: no user can have changed them. So
// for the time of the restore their directories are covered, in this process's mount namespace, which must be
// a private one. Afterwards ns_last_pid in /proc is covered as well.
Status cover_ipc_sysctls(Root root);
// Takes them away again in the mount namespace `mount_ns`.
Status uncover_ipc_sysctls(Root root, int mount_ns);

} // namespace ckpt
