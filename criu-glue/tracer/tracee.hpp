// SPDX-License-Identifier: GPL-2.0-or-later
// ptrace(2) on one thread that this process traces. Failures are those of the system call: the thread may
// have been killed at any moment.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace ckpt::tracing {

bool leads_its_process(pid_t tid);

// The general registers (NT_PRSTATUS) and those of the floating point unit; empty when the thread is not
// stopped.
std::string general_registers(pid_t tid);
std::string extended_registers(pid_t tid);
void set_general_registers(pid_t tid, const std::string& registers);
void set_extended_registers(pid_t tid, const std::string& registers);
// The instruction pointer in a set of general registers, of a 32-bit thread as well. 0: unknown.
std::uint64_t instruction_pointer(const std::string& registers);

std::optional<std::uint64_t> signal_mask(pid_t tid);
void set_signal_mask(pid_t tid, std::uint64_t mask);
std::optional<std::uint64_t> word_at(pid_t tid, std::uint64_t address);
void set_word(pid_t tid, std::uint64_t address, std::uint64_t value);
// The same in what a criu that was killed has left there, which is shared memory that may not be written: to
// that ptrace(2) does not write either (kernel mm/gup.c:check_vma_flags). criu takes it for the program where
// it comes first (parasite-syscall.c:get_exec_start), as it does where a program has no interpreter. False:
// it is no such memory, or cannot be had.
bool set_word_in_leftover(pid_t tid, std::uint64_t address, std::uint64_t value);
// criu stops the parasite with a breakpoint in the debug registers (infect.c:ptrace_set_breakpoint); they
// outlive it.
void clear_breakpoint(pid_t tid);

void interrupt(pid_t tid);
void continue_with(pid_t tid, int signal);
void continue_to_syscall(pid_t tid);
void detach_with(pid_t tid, int signal);
// A SIGSTOP for its process, which takes it when it is no longer traced.
void stop_again(pid_t tid);
// The signal that the thread is about to get was sent by a process (true) or made by the processor.
bool signal_was_sent(pid_t tid);
// The sender of the signal that the thread is about to get; 0: no process.
pid_t signal_sender(pid_t tid);
// The thread's own queue holds this signal, sent by the thread's process itself.
bool has_own_signal(pid_t tid, int signal);
// The thread has stopped on its way into rt_sigreturn(2).
bool enters_sigreturn(pid_t tid);

// Waits for the thread's next stop or end: a status of wait(2). Nothing in time: none.
std::optional<int> wait_for_stop(pid_t tid, std::chrono::milliseconds limit);

} // namespace ckpt::tracing
