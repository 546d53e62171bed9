// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace ckpt {

// `ckpt-init pid1 CRIU_PID CONTROL_FD UID GID`: pid 1 of a restored tree's pid namespace. Started as root by
// ckpt-engine in the job's cgroup, with criu already running as its child.
//
// Upward on CONTROL_FD, a SOCK_SEQPACKET socket: criu's raw wait status (int) once it has ended. Downward:
// the pid of the restored root (int), which commits the restore. If the engine goes without that, everything
// ends here: a restore nobody vouches for must not run. After the commit this process is the user's and lives
// as long as the root; the kernel then kills what is left of the namespace (pid_namespaces(7)).
int pid1(int argc, char** argv);

} // namespace ckpt
