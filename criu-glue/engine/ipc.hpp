// SPDX-License-Identifier: GPL-2.0-or-later
// Each step has an IPC namespace of its own. Without SysV objects in it there is nothing to save: criu joins
// it for the dump, and a restore makes a fresh one. With objects criu has to stay outside
// (shmem.c:check_sysvipc_map_dump refuses otherwise) and dumps the namespace; its restore then has to run as
// root, since only uid 0 may write the sysctls that CRIU restores with it (kernel
// ipc/ipc_sysctl.c:ipc_permissions knows no capability).
#pragma once

#include <sys/types.h>

#include "result/result.hpp"

namespace ckpt {

// Shared memory, queues or semaphores exist in the IPC namespace of `pid`.
Result<bool> has_sysv_objects(pid_t pid);

// The images hold an IPC namespace.
Result<bool> images_hold_ipc(int images);

} // namespace ckpt
