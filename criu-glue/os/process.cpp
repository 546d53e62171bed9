// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/process.hpp"

#include <fcntl.h>
#include <linux/ioprio.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "os/files.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_fdinfo_max = 4096;
constexpr int k_low_nice = 10;
constexpr int k_first_moved_fd = 512; // above every number a caller may ask for

struct ExecFailure {
    int errnum;
    std::array<char, 56> step;
};

// In the child: says which step failed and ends.
[[noreturn]] void give_up(int report_fd, const char* step, int errnum = errno) {
    ExecFailure failure{errnum, {}};
    std::strncpy(failure.step.data(), step, failure.step.size() - 1);
    (void)!::write(report_fd, &failure, sizeof failure);
    ::_exit(127);
}

void reset_signals() {
    for (int sig = 1; sig < NSIG; ++sig)
        ::signal(sig, SIG_DFL); // fails for KILL and STOP, which is fine
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Descriptors are first moved out of the way, so that {3->4, 4->3} works; then everything else is closed.
int place_fds(const std::vector<std::pair<int, int>>& wanted, int report_fd) {
    const int report = ::fcntl(report_fd, F_DUPFD_CLOEXEC, k_first_moved_fd);
    if (report < 0) give_up(report_fd, "move descriptors");
    std::vector<std::pair<int, int>> moved;
    for (const auto& [from, to] : wanted) {
        const int copy = ::fcntl(from, F_DUPFD_CLOEXEC, k_first_moved_fd);
        if (copy < 0) give_up(report, "move descriptors");
        moved.emplace_back(copy, to);
    }
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; ++fd)
        if (null >= 0 && ::dup2(null, fd) < 0) give_up(report, "open /dev/null");
    ::close_range(3, k_first_moved_fd - 1, 0);
    for (const auto& [copy, to] : moved)
        if (::dup2(copy, to) < 0) give_up(report, "place descriptors");
    ::close_range(k_first_moved_fd, ~0U, CLOSE_RANGE_CLOEXEC);
    return report;
}

// A pid namespace applies to children only, so a program that enters one is forked once more; the process in
// between passes its end on.
void enter_namespaces(const std::vector<int>& namespaces, int report) {
    for (const int ns : namespaces)
        if (::setns(ns, 0) != 0) give_up(report, "enter a namespace");
    if (namespaces.empty()) return;
    const pid_t inner = ::fork();
    if (inner < 0) give_up(report, "fork into the namespaces");
    if (inner == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        return;
    }
    ::close_range(0, ~0U, 0);
    int status = 0;
    while (::waitpid(inner, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) {
        ::signal(WTERMSIG(status), SIG_DFL);
        ::raise(WTERMSIG(status));
    }
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 127);
}

// ioprio_set(2) has no wrapper. "none" follows the nice value again.
void set_disk_priority(int who, pid_t id, int io_class) {
    ::syscall(SYS_ioprio_set, who, id, IOPRIO_PRIO_VALUE(io_class, 0));
}

// Without it the program works as well, and others less.
void lower_priority() {
    ::setpriority(PRIO_PROCESS, 0, k_low_nice);
    set_disk_priority(IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_IDLE);
}

[[noreturn]] void run_child(const SpawnSpec& spec, int report_fd, pid_t parent) {
    reset_signals();
    if (spec.die_with_parent) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (::getppid() != parent) ::_exit(127); // it died before we asked
    }
    if (spec.new_session) ::setsid();
    cpu_set_t cpus;
    if (spec.affinity_like != 0 && ::sched_getaffinity(spec.affinity_like, sizeof cpus, &cpus) == 0)
        ::sched_setaffinity(0, sizeof cpus, &cpus);
    if (spec.low_priority) lower_priority();
    auto argv = exec_pointers(spec.argv);
    auto environment = exec_pointers(spec.environment);
    std::vector<std::pair<int, int>> fds = spec.fds;
    // Namespaces are entered before descriptors are placed: the caller's numbers are still valid here.
    enter_namespaces(spec.enter_namespaces, report_fd);
    const int report = place_fds(fds, report_fd);
    if (spec.become) {
        const auto root = Root::claim();
        const Status dropped = !root          ? tl::unexpected(root.error())
                               : spec.ambient ? drop_to_keeping(*root, *spec.become, *spec.ambient)
                                              : drop_to(*root, *spec.become);
        if (!dropped) give_up(report, dropped.error().what.c_str(), dropped.error().errnum);
        // a change of ids clears the parent-death signal (prctl(2))
        if (spec.die_with_parent) ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    }
    ::execve(spec.path.c_str(), argv.data(), environment.data());
    give_up(report, "execve");
}

Result<int> reap(pid_t pid) {
    int status = 0;
    pid_t got = 0;
    while ((got = ::waitpid(pid, &status, 0)) < 0 && errno == EINTR) {
    }
    if (got < 0) return fail_errno(Code::os, "wait for a child");
    return status;
}

} // namespace

std::vector<char*> exec_pointers(const std::vector<std::string>& strings) {
    std::vector<char*> out;
    out.reserve(strings.size() + 1);
    for (const std::string& s : strings)
        out.push_back(const_cast<char*>(s.c_str())); // execve takes char* by history
    out.push_back(nullptr);
    return out;
}

Child& Child::operator=(Child&& other) noexcept {
    if (this != &other) {
        Child old(std::move(*this)); // kills and reaps what we held
        m_pid = std::exchange(other.m_pid, 0);
        m_pidfd = std::move(other.m_pidfd);
    }
    return *this;
}

Child::~Child() {
    if (m_pid <= 0) return;
    kill(SIGKILL);
    (void)reap(m_pid);
}

void Child::kill(int signal) const {
    if (m_pid > 0) (void)signal_pidfd(m_pidfd.get(), signal);
}

Result<int> Child::wait(std::chrono::milliseconds limit) {
    pollfd poll_for{m_pidfd.get(), POLLIN, 0};
    const auto end = std::chrono::steady_clock::now() + limit;
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now())
                .count();
        const int ready = ::poll(&poll_for, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
        if (ready > 0) break;
        if (ready == 0) return fail(Code::deadline, "a child did not end in time");
        if (errno != EINTR) return fail_errno(Code::os, "wait for a child");
    }
    const pid_t pid = std::exchange(m_pid, 0);
    m_pidfd.reset();
    return reap(pid);
}

Result<Child> spawn(const SpawnSpec& spec) {
    CKPT_TRY(Pipe report, make_pipe());
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno(Code::os, "fork");
    if (pid == 0) run_child(spec, report.write.get(), parent);
    report.write.reset();
    auto pidfd = open_pidfd(pid);
    Child child(pid, pidfd ? std::move(*pidfd) : Fd());
    ExecFailure failure{};
    ssize_t n = 0;
    while ((n = ::read(report.read.get(), &failure, sizeof failure)) < 0 && errno == EINTR) {
    }
    if (n == sizeof failure) {
        failure.step.back() = '\0';
        return fail_errno(Code::os, "start " + spec.path + ": " + failure.step.data(), failure.errnum);
    }
    if (!pidfd) return tl::unexpected(pidfd.error());
    return child;
}

void raise_priority(const Child& child) {
    if (!child) return;
    ::setpriority(PRIO_PGRP, static_cast<id_t>(child.pid()), ::getpriority(PRIO_PROCESS, 0));
    set_disk_priority(IOPRIO_WHO_PGRP, child.pid(), IOPRIO_CLASS_NONE);
}

Result<Fd> open_pidfd(pid_t pid) {
    Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!fd)
        return fail_errno(errno == ESRCH ? Code::not_found : Code::os, "open pid " + std::to_string(pid));
    return fd;
}

Status signal_pidfd(int pidfd, int signal) {
    if (::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) != 0)
        return fail_errno(errno == ESRCH ? Code::not_found : Code::os, "send a signal");
    return {};
}

Result<Fd> take_fd(int pidfd, int number) {
    Fd fd(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, number, 0)));
    if (!fd)
        return fail_errno(errno == ESRCH ? Code::not_found : Code::os,
                          "take descriptor " + std::to_string(number) + " of a process");
    return fd;
}

Result<pid_t> pid_of(int pidfd) {
    const Fd file(::open(("/proc/self/fdinfo/" + std::to_string(pidfd)).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return fail_errno(Code::os, "look at a pidfd");
    CKPT_TRY(const std::string text, read_all(file.get(), k_fdinfo_max));
    const std::size_t at = text.find("\nPid:\t");
    const pid_t pid = at != std::string::npos ? std::atoi(text.c_str() + at + 6) : 0;
    if (pid <= 0) return fail(Code::not_found, "the process has ended");
    return pid;
}

bool pidfd_alive(int pidfd) {
    pollfd poll_for{pidfd, POLLIN, 0};
    return ::poll(&poll_for, 1, 0) == 0;
}

} // namespace ckpt
