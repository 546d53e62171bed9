// SPDX-License-Identifier: GPL-2.0-or-later
#include "canary.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "signals.hpp"

namespace ckpt {

namespace {

constexpr int k_link_fd =
    0; // all it keeps open besides its signals: the job's files must not stay open through it

void tell(int byte) {
    const auto value = static_cast<unsigned char>(byte);
    while (::write(k_link_fd, &value, 1) < 0)
        if (errno != EINTR) ::_exit(0);
}

void tell_signals(int signals) {
    signalfd_siginfo info{};
    while (::read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
        tell(static_cast<int>(info.ssi_signo));
}

[[noreturn]] void sing(int link, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (::getppid() != parent) ::_exit(0); // it ended before we asked
    ::prctl(PR_SET_NAME, "ckpt-canary", 0, 0, 0);
    if (::dup2(link, k_link_fd) < 0) ::_exit(1);
    ::close_range(k_link_fd + 1, ~0U, 0);
    const auto signals = signal_descriptor(every_signal()); // blocked since before the fork
    if (!signals) ::_exit(1);
    std::array<pollfd, 2> fds{pollfd{k_link_fd, POLLIN, 0}, pollfd{signals->get(), POLLIN, 0}};
    for (;;) {
        if (::poll(fds.data(), fds.size(), -1) < 0) continue;
        unsigned char question = 0;
        const bool is_asked = fds[0].revents != 0;
        if (is_asked && ::read(k_link_fd, &question, 1) == 0) ::_exit(0);
        tell_signals(signals->get());
        if (is_asked) tell(Canary::k_answer);
    }
}

} // namespace

Canary Canary::start() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return {};
    Fd ours(ends[0]);
    const Fd theirs(ends[1]);
    if (::fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) return {};
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) sing(theirs.get(), parent);
    Canary canary;
    if (pid < 0) return canary;
    canary.m_pid = pid;
    canary.m_link = std::move(ours);
    return canary;
}

Canary& Canary::operator=(Canary&& other) noexcept {
    if (this != &other) {
        stop();
        m_pid = std::exchange(other.m_pid, 0);
        m_link = std::move(other.m_link);
    }
    return *this;
}

void Canary::ask() {
    const char question = '?';
    (void)!::write(m_link.get(), &question, 1);
}

std::optional<int> Canary::next() {
    unsigned char byte = 0;
    for (;;) {
        const ssize_t n = ::read(m_link.get(), &byte, 1);
        if (n == 1) return byte;
        if (n < 0 && errno == EINTR) continue;
        if (n == 0 || errno != EAGAIN) stop();
        return std::nullopt;
    }
}

void Canary::stop() {
    if (m_pid <= 0) return;
    ::kill(m_pid, SIGKILL);
    while (::waitpid(m_pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    m_pid = 0;
    m_link.reset();
}

} // namespace ckpt
