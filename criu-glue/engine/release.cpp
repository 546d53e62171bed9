// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/release.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "os/process.hpp"
#include "os/procfs.hpp"
#include "os/safe_path.hpp"
#include "os/tree.hpp"

namespace ckpt {

namespace {

constexpr int k_attempts = 20;
constexpr std::chrono::milliseconds k_pause{10};

// CRIU reads a connection with TCP_REPAIR set (sk-tcp.c:tcp_repair_establised). Repair mode belongs to the
// socket: it outlives a criu that is killed, and such a connection would never transmit again.
void end_repair(int socket) {
    int repair = 0;
    socklen_t size = sizeof repair;
    if (::getsockopt(socket, IPPROTO_TCP, TCP_REPAIR, &repair, &size) != 0 || repair == 0) return;
    const int off = 0;
    ::setsockopt(socket, IPPROTO_TCP, TCP_REPAIR, &off, sizeof off);
}

void end_repair_in(pid_t pid) {
    const auto proc = open_proc(pid);
    const auto pidfd = open_pidfd(pid);
    if (!proc || !pidfd) return;
    const Fd fds(::openat(proc->get(), "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fds) return;
    const auto names = list_dir(fds.get());
    if (!names) return;
    for (const std::string& name : *names) {
        struct stat st{};
        if (::fstatat(fds.get(), name.c_str(), &st, 0) != 0 || !S_ISSOCK(st.st_mode)) continue;
        if (const auto copy = take_fd(pidfd->get(), std::stoi(name))) end_repair(copy->get());
    }
}

// True when a member is still in tracing stop: the kernel has not detached the dead criu yet.
bool continue_members(pid_t root, const std::set<pid_t>& stopped_before) {
    bool traced = false;
    const auto pids = tree_pids(root);
    if (!pids) return false;
    for (const pid_t pid : *pids) {
        const auto info = process_info(pid);
        if (!info) continue;
        traced |= info->state == 't';
        if (info->state != 'T' || stopped_before.contains(pid)) continue;
        if (const auto pidfd = open_pidfd(pid)) (void)signal_pidfd(pidfd->get(), SIGCONT);
    }
    return traced;
}

} // namespace

std::set<pid_t> stopped_members(const std::vector<Member>& members) {
    std::set<pid_t> stopped;
    for (const Member& member : members)
        if (member.state == 'T') stopped.insert(member.pid);
    return stopped;
}

void release_tree(pid_t root, const std::set<pid_t>& stopped_before) {
    for (int attempt = 0; attempt < k_attempts && continue_members(root, stopped_before); ++attempt)
        std::this_thread::sleep_for(k_pause);
    end_repair_in_tree(root); // ckpt-tracer may have been killed as well
}

void end_repair_in_tree(pid_t root) {
    if (const auto pids = tree_pids(root))
        for (const pid_t pid : *pids)
            end_repair_in(pid);
}

void kill_criu(pid_t starter) {
    const auto criu = tree_pids(starter);
    if (!criu) return;
    for (const pid_t pid : *criu)
        if (const auto pidfd = open_pidfd(pid)) (void)signal_pidfd(pidfd->get(), SIGKILL);
}

} // namespace ckpt
