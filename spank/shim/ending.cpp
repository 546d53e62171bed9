// SPDX-License-Identifier: GPL-2.0-or-later
#include "ending.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace ckpt {

Ending ending_of(int wait_status) {
    if (WIFSIGNALED(wait_status)) return {true, WTERMSIG(wait_status)};
    return {false, WEXITSTATUS(wait_status)};
}

Ending ending_of(const TreeEnd& end) {
    if (end.wait_status) return ending_of(*end.wait_status);
    return {true, end.ordered_to_leave || end.term_held ? SIGTERM : SIGKILL};
}

void end_as(Ending ending) {
    if (!ending.by_signal) ::_exit(ending.number);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); // a core_pattern with a pipe ignores the limit (core(5))
    (void)::signal(ending.number, SIG_DFL);
    ::kill(::getpid(), ending.number);
    sigset_t only;
    ::sigemptyset(&only);
    ::sigaddset(&only, ending.number);
    ::sigprocmask(SIG_UNBLOCK, &only, nullptr);
    ::_exit(128 + ending.number); // a signal whose default action does not end a process
}

} // namespace ckpt
