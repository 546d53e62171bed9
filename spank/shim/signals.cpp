// SPDX-License-Identifier: GPL-2.0-or-later
#include "signals.hpp"

#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>

namespace ckpt {

sigset_t every_signal() {
    sigset_t all;
    ::sigfillset(&all);
    return all;
}

sigset_t one_signal(int signal) {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, signal);
    return set;
}

sigset_t block_all_signals() {
    const sigset_t all = every_signal();
    sigset_t old;
    ::sigemptyset(&old);
    ::sigprocmask(SIG_SETMASK, &all, &old);
    return old;
}

Result<Fd> signal_descriptor(const sigset_t& signals) {
    Fd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) return fail_errno(Code::os, "make a signal descriptor");
    return fd;
}

std::optional<int> next_sent_signal(int descriptor) {
    signalfd_siginfo info{};
    for (;;) {
        const ssize_t n = ::read(descriptor, &info, sizeof info);
        if (n < 0 && errno == EINTR) continue;
        if (n != static_cast<ssize_t>(sizeof info)) return std::nullopt;
        const bool sent = info.ssi_code <= 0; // SI_USER, SI_QUEUE, SI_TKILL; the kernel's own are positive
        const bool by_us = info.ssi_pid == static_cast<std::uint32_t>(::getpid());
        if (sent && !by_us) return static_cast<int>(info.ssi_signo); // by us: SIGPIPE of our own write
    }
}

std::string mask_as_hex(const sigset_t& mask) {
    std::uint64_t bits = 0;
    for (int signal = 1; signal <= 64; ++signal)
        if (::sigismember(&mask, signal) == 1) bits |= std::uint64_t{1} << (signal - 1);
    std::array<char, 17> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), bits, 16);
    return {text.data(), end.ptr};
}

bool relay(int tree_pidfd, int signal, wire::SignalScope scope) {
    siginfo_t info{};
    info.si_signo = signal;
    info.si_code = SI_QUEUE;
    info.si_pid = ::getpid();
    info.si_uid = ::getuid();
    info.si_value.sival_int = static_cast<int>(scope);
    return ::syscall(SYS_pidfd_send_signal, tree_pidfd, signal, &info, 0) == 0 || errno != ESRCH;
}

bool is_default_or_handled(int signal) {
    struct sigaction action{};
    return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_IGN;
}

std::int64_t now_ms() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

} // namespace ckpt
