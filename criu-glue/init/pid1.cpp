// SPDX-License-Identifier: GPL-2.0-or-later
#include "pid1.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "fault/fault.hpp"
#include "process.hpp"

namespace ckpt {

namespace {

struct Arguments {
    std::uint64_t criu = 0;
    std::uint64_t control = 0;
    std::uint64_t uid = 0;
    std::uint64_t gid = 0;
};

bool parse(int argc, char** argv, Arguments& out) {
    return argc == 6 && parse_number(argv[2], 10, out.criu) && parse_number(argv[3], 10, out.control) &&
           parse_number(argv[4], 10, out.uid) && parse_number(argv[5], 10, out.gid) && out.uid != 0;
}

void keep_only(int control) {
    detach_stdio();
    ::close_range(3, static_cast<unsigned>(control) - 1, 0);
    ::close_range(static_cast<unsigned>(control) + 1, ~0U, 0);
    (void)!::chdir("/");
}

// Reaps whatever has ended and reports criu's end.
void reap(pid_t criu, int control) {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;)
        if (pid == criu) (void)::send(control, &status, sizeof status, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// The pid of the restored root once the engine has committed, 0 when it has gone.
pid_t wait_for_commit(pid_t criu, int control) {
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    const int signals = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0) return 0;
    reap(criu, control); // criu may have ended before we were exec'ed
    pollfd waiting[2] = {{signals, POLLIN, 0}, {control, POLLIN, 0}};
    for (;;) {
        if (::poll(waiting, 2, -1) < 0) {
            if (errno == EINTR) continue;
            return 0;
        }
        if (waiting[0].revents != 0) {
            signalfd_siginfo ignored;
            while (::read(signals, &ignored, sizeof ignored) > 0) {
            }
            reap(criu, control);
        }
        if (waiting[1].revents == 0) continue;
        int root = 0;
        const ssize_t n = ::recv(control, &root, sizeof root, MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        ::close(signals);
        return n == sizeof root && root > 1 ? root : 0;
    }
}

// From here on only waitpid is needed, and a root process has no business among a user's processes.
bool become_user(const Arguments& arguments) {
    const auto uid = static_cast<uid_t>(arguments.uid);
    const auto gid = static_cast<gid_t>(arguments.gid);
    return ::setgroups(0, nullptr) == 0 && ::setresgid(gid, gid, gid) == 0 && ::setresuid(uid, uid, uid) == 0;
}

// As pid 1 we adopt and reap every orphan, the root among them.
void wait_for_end(pid_t root) {
    if (::kill(root, 0) != 0 && errno == ESRCH) return; // it has ended and was reaped before the commit
    for (;;) {
        int status = 0;
        const pid_t pid = ::waitpid(-1, &status, 0);
        if (pid == root || (pid < 0 && errno == ECHILD)) return;
    }
}

} // namespace

int pid1(int argc, char** argv) {
    Arguments arguments;
    if (!parse(argc, argv, arguments)) return k_failed;
    block_all_signals();
    default_sigchld();
    const auto control = static_cast<int>(arguments.control);
    keep_only(control);
    CKPT_FAULT_IN_TIME("init.pid1");
    const pid_t root = wait_for_commit(static_cast<pid_t>(arguments.criu), control);
    if (root == 0 || !become_user(arguments)) return k_failed;
    CKPT_FAULT_IN_TIME("init.taken_over");
    ::close(control); // tells the engine that the commit has arrived
    wait_for_end(root);
    return 0;
}

} // namespace ckpt
