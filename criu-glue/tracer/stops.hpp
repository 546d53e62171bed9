// SPDX-License-Identifier: GPL-2.0-or-later
// What the status of a wait for a tracee tells. Header only: preload/ptrace.cpp runs inside criu.
#pragma once

#include <linux/ptrace.h>
#include <sys/wait.h>

#include <csignal>

namespace ckpt::tracing {

// The PTRACE_EVENT_… of a stop, 0 where there is none.
inline int event_of(int stop) {
    return static_cast<int>(static_cast<unsigned>(stop) >> 16U);
}

// A SIGCONT has come for a task that was seized, blocked or not (kernel/signal.c:ptrace_trap_notify). Not a
// group stop, which would carry the signal that stops.
inline bool is_notice_of_sigcont(int stop) {
    return WIFSTOPPED(stop) && event_of(stop) == PTRACE_EVENT_STOP && WSTOPSIG(stop) == SIGTRAP;
}

} // namespace ckpt::tracing
