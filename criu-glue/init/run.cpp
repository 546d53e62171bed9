// SPDX-License-Identifier: GPL-2.0-or-later
#include "run.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "fault/fault.hpp"
#include "process.hpp"
#include "wire/init_protocol.hpp"

namespace ckpt {

namespace {

struct Arguments {
    std::uint64_t mask = 0;
    const char* program = nullptr;
    char** argv = nullptr;
};

bool parse(int argc, char** argv, Arguments& out) {
    // argv: ckpt-init run --mask HEX -- PROGRAM ARGV0 …
    if (argc < 7 || std::strcmp(argv[2], "--mask") != 0 || std::strcmp(argv[4], "--") != 0) return false;
    out.program = argv[5];
    out.argv = argv + 6;
    return parse_number(argv[3], 16, out.mask);
}

// A pipe write of this size is atomic (pipe(7)). A shim that has gone cannot be helped: SIGPIPE is blocked.
void report(wire::InitStatus status, int value) {
    const wire::InitReport message{status, value};
    while (::write(wire::k_status_fd, &message, sizeof message) < 0 && errno == EINTR) {
    }
}

sigset_t mask_of(std::uint64_t bits) {
    sigset_t set;
    ::sigemptyset(&set);
    for (int sig = 1; sig <= 64; ++sig)
        if ((bits >> (sig - 1) & 1) != 0) ::sigaddset(&set, sig);
    return set;
}

[[noreturn]] void become_application(const Arguments& arguments, const struct sigaction& sigchld,
                                     int failure_fd) {
    ::setpgid(0, 0);
    ::sigaction(SIGCHLD, &sigchld, nullptr);
    const sigset_t mask = mask_of(arguments.mask);
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    ::execv(arguments.program, arguments.argv);
    const int errnum = errno;
    (void)!::write(failure_fd, &errnum, sizeof errnum);
    ::_exit(k_failed);
}

// The errno of a failed execve, 0 once it has succeeded (the pipe closes on exec).
int exec_result(int failure_fd) {
    int errnum = 0;
    ssize_t n = 0;
    while ((n = ::read(failure_fd, &errnum, sizeof errnum)) < 0 && errno == EINTR) {
    }
    return n == sizeof errnum ? errnum : 0;
}

// Nothing but the status pipe stays open: every further descriptor would be dumped with us, and the end of a
// pipe that we kept would hide from the application that its peer has gone.
void keep_only_status_pipe() {
    detach_stdio();
    ::close_range(3, wire::k_status_fd - 1, 0);
    ::close_range(wire::k_status_fd + 1, ~0U, 0);
    (void)!::chdir("/");
}

// Signals that were sent one after the other must not become pending at once on their way through shim and
// init, or while a dump holds us: bash in its `wait` leaves the first of the handlers by longjmp, and never
// runs the other (trap.c:trap_handler). Slurm sends its warning before a time limit with a SIGCONT.
void let_it_be_taken() {
    constexpr timespec k_pause{0, 10'000'000};
    sigset_t child; // the next wait for any signal comes after a look at our children
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    ::sigtimedwait(&child, nullptr, &k_pause);
}

void relay(const siginfo_t& signal, pid_t application) {
    // Only the shim's queued signals count; a plain kill(2) by the user's processes must not end their own
    // root.
    if (signal.si_code != SI_QUEUE) return;
    if (signal.si_value.sival_int == static_cast<int>(wire::SignalScope::process))
        ::kill(application, signal.si_signo);
    else if (signal.si_value.sival_int == static_cast<int>(wire::SignalScope::group))
        ::kill(-application, signal.si_signo);
    let_it_be_taken();
}

// Reaps whatever has ended; true when the application was among it.
bool reap(pid_t application, int& application_status) {
    bool ended = false;
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid != application) continue;
        application_status = status;
        ended = true;
    }
    return ended;
}

int serve(pid_t application) {
    sigset_t all;
    ::sigfillset(&all);
    int status = 0;
    // First without a signal: one that came before our mask was in place would never be announced.
    while (!reap(application, status)) {
        siginfo_t signal;
        CKPT_FAULT_IN_TIME("init.serve");
        // EINTR: a debugger or CRIU had stopped us, which ends sigwaitinfo(2) without a signal.
        if (::sigwaitinfo(&all, &signal) > 0 && signal.si_signo != SIGCHLD) relay(signal, application);
    }
    CKPT_FAULT_IN_TIME("init.end");
    report(wire::InitStatus::ended, status);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

int run(int argc, char** argv) {
    Arguments arguments;
    if (!parse(argc, argv, arguments)) return k_failed;
    block_all_signals();
    ::fcntl(wire::k_status_fd, F_SETFD, FD_CLOEXEC);
    // Orphans such as `(simulation &)` must stay below us, or a dump of our tree would miss them.
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return k_failed;
    // CRIU restores a tree whose root leads its session without --shell-job
    // (criu/pstree.c:prepare_pstree_ids).
    if (::setsid() < 0 && ::getsid(0) != ::getpid()) return k_failed;
    struct sigaction sigchld{};
    ::sigaction(SIGCHLD, nullptr, &sigchld);
    default_sigchld();

    int failure[2] = {-1, -1};
    if (::pipe2(failure, O_CLOEXEC) != 0) return k_failed;
    CKPT_FAULT_IN_TIME("init.start");
    const pid_t application = ::fork();
    if (application < 0) {
        report(wire::InitStatus::exec_failed, errno);
        return k_failed;
    }
    if (application == 0) become_application(arguments, sigchld, failure[1]);
    ::setpgid(application, application); // here too: whoever is first, a group signal finds the group
    ::close(failure[1]);
    if (const int errnum = exec_result(failure[0]); errnum != 0) {
        report(wire::InitStatus::exec_failed, errnum);
        return k_failed;
    }
    keep_only_status_pipe();
    report(wire::InitStatus::started, application);
    return serve(application);
}

} // namespace ckpt
