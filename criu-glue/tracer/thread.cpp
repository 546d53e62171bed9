// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracer/thread.hpp"

#include <linux/ptrace.h>
#include <sys/wait.h>

#include <csignal>
#include <utility>

#include "tracer/stops.hpp"

namespace ckpt::tracing {

namespace {

constexpr int k_syscall_stop = 0x80; // PTRACE_O_TRACESYSGOOD

bool is_syscall_stop(int stop) {
    return WIFSTOPPED(stop) && WSTOPSIG(stop) == (SIGTRAP | k_syscall_stop);
}

// About to be delivered.
bool is_sigstop(int stop) {
    return WIFSTOPPED(stop) && event_of(stop) == 0 && WSTOPSIG(stop) == SIGSTOP;
}

} // namespace

void Thread::registers_given_back() {
    place = Place::own_code;
}

void Thread::registers_taken(std::string current, std::string current_extended, bool injected) {
    registers = std::move(current);
    extended = std::move(current_extended);
    place = injected ? Place::injected_syscall : Place::parasite;
}

void Thread::before_signal_mask(std::uint64_t current, std::uint64_t wanted) {
    if (!signal_mask) {
        signal_mask = current;
    } else if (*signal_mask == wanted) {
        signal_mask.reset();
    }
}

void Thread::stopped(int status, bool enters_sigreturn) {
    stop = status;
    told = false;
    owes_stop |= place != Place::own_code && is_sigstop(status);
    if (!runs_daemon() || !is_syscall_stop(status)) return;
    if (returns) {
        place = Place::own_code;
        signal_mask.reset();
    }
    returns = enters_sigreturn;
}

bool Thread::may_go_on_unseen() const {
    if (place == Place::own_code || interrupted || !stop || returns) return false;
    return is_notice_of_sigcont(*stop) || is_sigstop(*stop) ||
           (runs_daemon() && steps && is_syscall_stop(*stop));
}

bool Thread::has_failed() const {
    if (!runs_daemon() || interrupted || !stop || told) return false;
    return !WIFSTOPPED(*stop) || (WSTOPSIG(*stop) & ~k_syscall_stop) != SIGTRAP;
}

void Thread::continued(bool stepping, bool wanted) {
    steps = stepping;
    to_syscall = wanted;
    stop.reset();
    told = false;
    interrupted = false;
}

void Words::before_write(std::uint64_t address, std::uint64_t current, std::uint64_t wanted) {
    const auto [word, first] = m_originals.emplace(address, current);
    if (!first && word->second == wanted) m_originals.erase(word);
}

bool Words::contains(std::uint64_t address) const {
    const auto after = m_originals.upper_bound(address);
    return after != m_originals.begin() && address - std::prev(after)->first < sizeof(long);
}

int stop_signal_for_criu(int signal, int code) {
    const bool stops = (code >> 8) == PTRACE_EVENT_STOP; // signal.c:ptrace_do_notify
    return stops && (signal == SIGTTIN || signal == SIGTTOU) ? SIGSTOP : signal;
}

int signal_to_deliver(int stop, bool sent) {
    if (!WIFSTOPPED(stop) || event_of(stop) != 0) return 0;
    const int signal = WSTOPSIG(stop);
    if ((signal & k_syscall_stop) != 0 || (signal == SIGTRAP && !sent)) return 0;
    return signal;
}

} // namespace ckpt::tracing
