// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/home.hpp"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>

#include "engine/home_inside.hpp"
#include "os/files.hpp"
#include "os/socket.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_failure_max = 1 << 16;
constexpr const char* k_init_path = CKPT_LIBEXEC_DIR "/ckpt-init";

// Opened here: inside, paths are the job's.
Result<std::vector<Fd>> open_cgroups(const std::vector<std::string>& dirs) {
    if (dirs.empty()) return fail(Code::restore_failed, "no cgroup to restore the job into");
    std::vector<Fd> files;
    for (const std::string& dir : dirs) {
        const std::string path = dir + "/cgroup.procs";
        Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
        if (!file) return fail_errno(Code::restore_failed, "open " + path);
        files.push_back(std::move(file));
    }
    return files;
}

// fork(2) into a new pid namespace, with the pidfd made in the same step.
pid_t fork_pid1(int& pidfd) {
    clone_args args{};
    args.flags = CLONE_NEWPID | CLONE_PIDFD;
    args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    args.exit_signal = SIGCHLD;
    return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
}

// Nothing arrives when pid 1 has reached its exec: the pipe closes on exec.
Status await_start(int report, Deadline deadline) {
    pollfd wait_for{report, POLLIN, 0};
    for (;;) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        const int ready = ::poll(&wait_for, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        if (ready > 0) break;
        if (ready == 0) return fail(Code::deadline, "the namespaces for the restore were not ready in time");
        if (errno != EINTR) return fail_errno(Code::os, "wait for pid 1");
    }
    CKPT_TRY(const std::string text, read_all(report, k_failure_max));
    if (text.empty()) return {};
    CKPT_TRY(const HomeFailure failure, wire::decode<HomeFailure>(text));
    return wire::status_of(failure.outcome);
}

} // namespace

Result<Home> make_home(Root root, const HomeSpec& spec, Deadline deadline) {
    InsideFds fds;
    CKPT_TRY(fds.cgroups, open_cgroups(spec.cgroup_dirs));
    fds.init = Fd(::open(k_init_path, O_RDONLY | O_CLOEXEC));
    if (!fds.init) return fail_errno(Code::restore_failed, std::string("open ") + k_init_path);
    CKPT_TRY(auto control, make_socket_pair());
    CKPT_TRY(auto criu, make_socket_pair());
    CKPT_TRY(Pipe report, make_pipe());
    CKPT_TRY(fds.node, node_files(spec.criu));
    int pidfd = -1;
    const pid_t pid = fork_pid1(pidfd);
    if (pid < 0) return fail_errno(Code::restore_failed, "make a pid namespace");
    if (pid == 0) {
        control.first.reset();
        criu.first.reset();
        fds.control = std::move(control.second);
        fds.criu = std::move(criu.second);
        fds.report = std::move(report.write);
        become_pid1(root, spec, fds);
    }
    Home home{Child(pid, Fd(pidfd)), std::move(control.first), std::move(criu.first)};
    control.second.reset();
    criu.second.reset();
    report.write.reset();
    CKPT_CHECK(await_start(report.read.get(), deadline));
    return home;
}

} // namespace ckpt
