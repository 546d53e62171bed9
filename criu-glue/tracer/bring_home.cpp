// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracer/bring_home.hpp"

#include <linux/ptrace.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdint>

#include "tracer/stops.hpp"
#include "tracer/tracee.hpp"

namespace ckpt::tracing {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds k_patience{
    2000}; // for one thread: a system call or a command of the parasite

bool is_event(int stop) {
    return event_of(stop) == PTRACE_EVENT_STOP;
}

// Waits for its next stop. False when it is gone or does not stop.
bool await_stop(pid_t tid, Thread& thread) {
    const auto status = wait_for_stop(tid, k_patience);
    if (!status) return false;
    thread.stopped(*status, WIFSTOPPED(*status) && enters_sigreturn(tid));
    return WIFSTOPPED(*status);
}

bool stop(pid_t tid, Thread& thread) {
    if (thread.stop) return WIFSTOPPED(*thread.stop);
    interrupt(tid);
    return await_stop(tid, thread);
}

// Lets it reach the int3 behind what it runs. Stops in between (a SIGCONT has come) are passed by.
bool reach_trap(pid_t tid, Thread& thread) {
    const auto end = Clock::now() + k_patience;
    while (!thread.stop && Clock::now() < end) {
        if (!await_stop(tid, thread) || !is_event(thread.stop.value_or(0))) break;
        continue_with(tid, 0);
        thread.continued();
    }
    return stop(tid, thread); // it may be slow, or frozen
}

// The parasite wrote into a pipe of criu's after criu's end: that SIGPIPE is nothing of the process's.
void drop_sigpipe(pid_t tid, Thread& thread) {
    const auto mask = signal_mask(tid);
    if (!mask || !has_own_signal(tid, SIGPIPE)) return;
    set_signal_mask(tid, ~(std::uint64_t{1} << (SIGPIPE - 1))); // it, and nothing else, is delivered
    for (int signal = 0;;) {
        const bool ours = signal == SIGPIPE;
        if (ours) interrupt(tid); // takes effect before it runs again
        continue_with(tid, ours ? 0 : signal);
        thread.continued();
        if (!await_stop(tid, thread) || is_event(thread.stop.value_or(0))) break;
        signal = signal_to_deliver(thread.stop.value_or(0), signal_was_sent(tid));
    }
    set_signal_mask(tid, *mask);
}

// When its connection closes, the daemon puts the registers back.
void await_sigreturn(pid_t tid, Thread& thread) {
    if (!stop(tid, thread)) return;
    clear_breakpoint(tid);
    thread.connection.reset();
    for (const auto end = Clock::now() + k_patience; thread.runs_daemon() && Clock::now() < end;) {
        continue_to_syscall(tid);
        thread.continued();
        if (!await_stop(tid, thread)) break;
    }
    if (!stop(tid, thread)) return;
    if (!thread.runs_daemon()) return drop_sigpipe(tid, thread);
    set_general_registers(tid, thread.registers); // it is slow, or frozen
    set_extended_registers(tid, thread.extended);
    thread.place = Place::own_code;
}

void bring_home(pid_t tid, Thread& thread) {
    if (thread.must_be_brought_home()) {
        if (!reach_trap(tid, thread)) return;
        set_general_registers(tid, thread.registers);
        if (thread.place == Place::parasite) set_extended_registers(tid, thread.extended);
        thread.place = Place::own_code;
    } else if (thread.runs_daemon()) {
        await_sigreturn(tid, thread);
    } else if (!stop(tid, thread)) {
        return;
    }
    if (thread.signal_mask && thread.place == Place::own_code) set_signal_mask(tid, *thread.signal_mask);
    for (const auto& [address, word] : thread.words.originals())
        set_word(tid, address, word);
}

} // namespace

void bring_home(Threads& threads) {
    for (auto& [tid, thread] : threads)
        bring_home(tid, thread);
}

void let_go(Threads& threads) {
    for (auto& [tid, thread] : threads) {
        const int signal = thread.stop ? signal_to_deliver(*thread.stop, signal_was_sent(tid)) : 0;
        if (thread.owes_stop) stop_again(tid);
        detach_with(tid, signal);
    }
    threads.clear();
}

} // namespace ckpt::tracing
