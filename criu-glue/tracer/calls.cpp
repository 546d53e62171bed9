// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracer/calls.hpp"

#include <elf.h>
#include <linux/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "tracer/tracee.hpp"

namespace ckpt::tracing {

namespace {

// What has to be kept before the call changes it.
void note_before(const Call& call, const std::string& data, Thread& thread) {
    switch (call.request) {
    case PTRACE_SETREGSET:
        if (call.addr != NT_PRSTATUS) return;
        if (thread.must_be_brought_home()) return thread.registers_given_back(); // criu sets them twice
        return thread.registers_taken(general_registers(call.pid), extended_registers(call.pid),
                                      thread.words.contains(instruction_pointer(data)));
    case PTRACE_SETSIGMASK:
        if (const auto current = signal_mask(call.pid); current && data.size() == sizeof(std::uint64_t)) {
            std::uint64_t wanted = 0;
            std::memcpy(&wanted, data.data(), sizeof wanted);
            thread.before_signal_mask(*current, wanted);
        }
        return;
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA:
        if (const auto current = word_at(call.pid, call.addr))
            thread.words.before_write(call.addr, *current, call.data);
        return;
    default:
        return;
    }
}

void note_after(const Call& call, Threads& threads) {
    switch (call.request) {
    case PTRACE_SEIZE:
        threads[call.pid].leads_process = leads_its_process(call.pid);
        return;
    case PTRACE_CONT:
    case PTRACE_SYSCALL:
        threads[call.pid].continued(call.request == PTRACE_CONT && threads[call.pid].is_watched(),
                                    call.request == PTRACE_SYSCALL);
        return;
    case PTRACE_INTERRUPT:
        threads[call.pid].interrupted = true;
        return;
    case PTRACE_DETACH:
        threads.erase(call.pid);
        return;
    default:
        return;
    }
}

void for_criu(std::string& siginfo) {
    siginfo_t info{};
    if (siginfo.size() < sizeof info) return;
    std::memcpy(&info, siginfo.data(), sizeof info);
    info.si_signo = stop_signal_for_criu(info.si_signo, info.si_code);
    std::memcpy(siginfo.data(), &info, sizeof info);
}

// True when the thread has gone on already.
bool note_stop(Threads& threads, pid_t tid, int status) {
    Thread& thread = threads[tid];
    thread.stopped(status, WIFSTOPPED(status) && enters_sigreturn(tid));
    if (!thread.may_go_on_unseen()) return false;
    const bool steps = thread.is_watched();
    steps || thread.to_syscall ? continue_to_syscall(tid) : continue_with(tid, 0);
    thread.continued(steps, thread.to_syscall);
    return true;
}

pid_t tell(Threads& threads, pid_t tid, int& status) {
    Thread& thread = threads[tid];
    thread.told = true;
    status = thread.stop.value_or(0);
    if (!WIFSTOPPED(status)) threads.erase(tid);
    return tid;
}

bool is_poke(long request) {
    return request == PTRACE_POKETEXT || request == PTRACE_POKEDATA;
}

long fails_with(int errnum) {
    errno = errnum;
    return -1;
}

void* pointer(std::uint64_t value) {
    return reinterpret_cast<void*>(value); // NOLINT(performance-no-int-to-ptr): a value in ptrace's pointer
}

} // namespace

Answer carry_out(const Call& call, std::string& addr, std::string& data, Threads& threads) {
    const auto thread = threads.find(call.pid);
    if (thread == threads.end() && call.request != PTRACE_SEIZE) return Answer{-1, ESRCH, 1, 0, 0};
    if (thread != threads.end()) note_before(call, data, thread->second);
    if (call.request == PTRACE_DETACH && thread->second.owes_stop) stop_again(call.pid);
    iovec vector{data.data(), data.size()};
    void* const addr_argument = call.addr_size != 0 ? addr.data() : pointer(call.addr);
    void* data_argument = call.data_size != 0 ? data.data() : pointer(call.data);
    if (call.data_is_vector != 0) data_argument = &vector;
    const bool steps = call.request == PTRACE_CONT && thread != threads.end() && thread->second.is_watched();
    const long request = steps ? PTRACE_SYSCALL : call.request;
    long value = ::syscall(SYS_ptrace, request, call.pid, addr_argument, data_argument);
    if (value < 0 && errno == EIO && is_poke(call.request))
        value = set_word_in_leftover(call.pid, call.addr, call.data) ? 0 : fails_with(EIO);
    if (value < 0) return Answer{-1, errno, 0, 0, call.data_size};
    note_after(call, threads);
    if (call.request == PTRACE_GETSIGINFO) for_criu(data);
    return Answer{value, 0, 0, 0, static_cast<std::uint32_t>(vector.iov_len)};
}

pid_t take_stop(Threads& threads, pid_t tid, int options, int& status) {
    (void)attend_daemons(threads);
    for (auto& [kept, thread] : threads)
        if ((tid == -1 || tid == kept) && thread.stop && !thread.told) return tell(threads, kept, status);
    for (;;) {
        const pid_t got = ::waitpid(tid, &status, options | WNOHANG);
        if (got <= 0) return got;
        if (!note_stop(threads, got, status)) return tell(threads, got, status);
    }
}

bool attend_daemons(Threads& threads) {
    bool all_well = true;
    for (auto& [tid, thread] : threads) {
        int status = 0;
        while (thread.runs_daemon() && !thread.stop && ::waitpid(tid, &status, __WALL | WNOHANG) == tid)
            (void)note_stop(threads, tid, status);
        all_well = all_well && !thread.has_failed();
    }
    return all_well;
}

void keep_open(Threads& threads, Fd connection) {
    const auto started =
        std::ranges::find_if(threads, [](const auto& one) { return one.second.is_watched(); });
    if (started != threads.end())
        started->second.connection = std::move(connection); // criu starts one at a time
}

} // namespace ckpt::tracing
