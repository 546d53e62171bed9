// SPDX-License-Identifier: GPL-2.0-or-later
#include "canary.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "os/files.hpp"
#include "signals.hpp"

namespace ckpt {

namespace {

constexpr int k_report_fd = 0; // the only descriptor it keeps: the job's files must not stay open through it

[[noreturn]] void sing(int report, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (::getppid() != parent) ::_exit(0); // it ended before we asked
    ::prctl(PR_SET_NAME, "ckpt-canary", 0, 0, 0);
    if (::dup2(report, k_report_fd) < 0) ::_exit(1);
    ::close_range(k_report_fd + 1, ~0U, 0);
    const sigset_t all = every_signal(); // blocked since before the fork
    for (;;) {
        const int signal = ::sigwaitinfo(&all, nullptr);
        if (signal < 0) continue;
        const auto byte = static_cast<unsigned char>(signal);
        if (::write(k_report_fd, &byte, 1) < 0 && errno != EINTR) ::_exit(0);
    }
}

} // namespace

Canary Canary::start() {
    auto pipe = make_pipe();
    if (!pipe || ::fcntl(pipe->read.get(), F_SETFL, O_NONBLOCK) != 0) return {};
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) sing(pipe->write.get(), parent);
    Canary canary;
    if (pid < 0) return canary;
    canary.m_pid = pid;
    canary.m_pipe = std::move(pipe->read);
    return canary;
}

Canary& Canary::operator=(Canary&& other) noexcept {
    if (this != &other) {
        stop();
        m_pid = std::exchange(other.m_pid, 0);
        m_pipe = std::move(other.m_pipe);
    }
    return *this;
}

std::optional<int> Canary::next() {
    unsigned char signal = 0;
    for (;;) {
        const ssize_t n = ::read(m_pipe.get(), &signal, 1);
        if (n == 1) return signal;
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) stop();
        return std::nullopt;
    }
}

void Canary::stop() {
    if (m_pid <= 0) return;
    ::kill(m_pid, SIGKILL);
    while (::waitpid(m_pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    m_pid = 0;
    m_pipe.reset();
}

} // namespace ckpt
