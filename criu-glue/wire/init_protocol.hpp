// SPDX-License-Identifier: GPL-2.0-or-later
// Between the shim and ckpt-init, the root of the application's tree. ckpt-init is dumped and restored with
// the tree, so the link must survive CRIU: a pipe upward (a new one is inherited at restore by its inode,
// --inherit-fd fd[N]:pipe:[INO]) and queued signals downward (no descriptor at all).
#pragma once

#include <cstdint>

namespace ckpt::wire {

// The write end of the status pipe in ckpt-init, above the descriptors applications expect to be free.
constexpr int k_status_fd = 200;

enum class InitStatus : std::uint32_t {
    started = 1,     // value: pid of the application (in ckpt-init's pid namespace)
    exec_failed = 2, // value: errno of execve
    ended = 3,       // value: raw wait status of the application; ckpt-init exits after it
};

struct InitReport { // one atomic write, host byte order: both ends are on one host
    InitStatus status;
    std::int32_t value;
};

// Sent with rt_sigqueueinfo/pidfd_send_signal as si_value next to the signal's number.
enum class SignalScope : int {
    process = 0x434b0001, // kill(2) of the application
    group = 0x434b0002,   // kill(2) of its process group: Slurm used killpg (scancel --full)
};

} // namespace ckpt::wire
