// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracer/tracee.hpp"

#include <elf.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>

#include "os/fd.hpp"

namespace ckpt::tracing {

namespace {

constexpr std::size_t k_registers_max = 32 << 10; // with AMX, 11 KiB
constexpr std::size_t k_signals_max = 32;
constexpr std::string_view k_leftover = "/memfd:CRIUMFD (deleted)"; // infect.c:parasite_memfd_exchange
constexpr std::size_t k_rights = 6;                                 // of " r-xs "
#ifdef __x86_64__
constexpr std::uintptr_t k_extended = NT_X86_XSTATE;
#else
constexpr std::uintptr_t k_extended = NT_PRFPREG;
#endif

long trace(long request, pid_t tid, std::uintptr_t addr, void* data) {
    return ::syscall(SYS_ptrace, request, tid, addr, data);
}

void* as_data(std::uint64_t value) {
    return reinterpret_cast<void*>(value); // NOLINT(performance-no-int-to-ptr): a value in ptrace's pointer
}

std::string register_set(pid_t tid, std::uintptr_t which) {
    std::string bytes(k_registers_max, '\0');
    iovec vector{bytes.data(), bytes.size()};
    if (trace(PTRACE_GETREGSET, tid, which, &vector) != 0) return {};
    bytes.resize(vector.iov_len);
    return bytes;
}

void set_register_set(pid_t tid, std::uintptr_t which, std::string bytes) {
    if (bytes.empty()) return;
    iovec vector{bytes.data(), bytes.size()};
    (void)trace(PTRACE_SETREGSET, tid, which, &vector);
}

siginfo_t signal_info(pid_t tid) {
    siginfo_t info{};
    (void)trace(PTRACE_GETSIGINFO, tid, 0, &info);
    return info;
}

// In the namespace of /proc, which need not be ours. 0: unknown.
pid_t pid_in_proc(pid_t tid) {
    const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, tid, 0)));
    std::ifstream info("/proc/self/fdinfo/" + std::to_string(pidfd.get()));
    for (std::string line; std::getline(info, line);)
        if (line.starts_with("Pid:")) return std::atoi(line.c_str() + 4); // NOLINT(cert-err34-c)
    return 0;
}

// The name may be that of any file: it has to be the user's own, and to have none.
bool is_nobody_elses(int memory) {
    struct stat st{};
    return ::fstat(memory, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0 && st.st_uid == ::getuid();
}

} // namespace

bool leads_its_process(pid_t tid) {
    return ::syscall(SYS_tgkill, tid, tid, 0) == 0 || errno != ESRCH;
}

std::string general_registers(pid_t tid) {
    return register_set(tid, NT_PRSTATUS);
}

std::string extended_registers(pid_t tid) {
    return register_set(tid, k_extended);
}

void set_general_registers(pid_t tid, const std::string& registers) {
    set_register_set(tid, NT_PRSTATUS, registers);
}

void set_extended_registers(pid_t tid, const std::string& registers) {
    set_register_set(tid, k_extended, registers);
}

std::uint64_t instruction_pointer(const std::string& registers) {
#ifdef __x86_64__
    constexpr std::size_t k_ip_32 = 12; // of a 32-bit thread: bx cx dx si di bp ax ds es fs gs orig_ax ip
    constexpr std::size_t k_size_32 = 17 * sizeof(std::uint32_t);
    std::uint64_t ip = 0;
    if (registers.size() == sizeof(user_regs_struct))
        std::memcpy(&ip, registers.data() + offsetof(user_regs_struct, rip), sizeof ip);
    if (registers.size() == k_size_32)
        std::memcpy(&ip, registers.data() + k_ip_32 * sizeof(std::uint32_t), sizeof(std::uint32_t));
    return ip;
#elif defined(__aarch64__)
    std::uint64_t ip = 0;
    if (registers.size() == sizeof(user_regs_struct))
        std::memcpy(&ip, registers.data() + offsetof(user_regs_struct, pc), sizeof ip);
    return ip;
#else
#error "where is this processor's instruction pointer?"
#endif
}

std::optional<std::uint64_t> signal_mask(pid_t tid) {
    std::uint64_t mask = 0;
    if (trace(PTRACE_GETSIGMASK, tid, sizeof mask, &mask) != 0) return std::nullopt;
    return mask;
}

void set_signal_mask(pid_t tid, std::uint64_t mask) {
    (void)trace(PTRACE_SETSIGMASK, tid, sizeof mask, &mask);
}

std::optional<std::uint64_t> word_at(pid_t tid, std::uint64_t address) {
    std::uint64_t word = 0;
    if (trace(PTRACE_PEEKDATA, tid, address, &word) != 0) return std::nullopt;
    return word;
}

void set_word(pid_t tid, std::uint64_t address, std::uint64_t value) {
    if (trace(PTRACE_POKEDATA, tid, address, as_data(value)) != 0)
        (void)set_word_in_leftover(tid, address, value);
}

bool set_word_in_leftover(pid_t tid, std::uint64_t address, std::uint64_t value) {
    const std::string proc = "/proc/" + std::to_string(pid_in_proc(tid));
    std::ifstream maps(proc + "/maps");
    for (std::string line; std::getline(maps, line);) {
        if (!line.ends_with(k_leftover)) continue;
        char* rest = nullptr; // "START-END r-xs OFFSET …"
        const std::uint64_t start = std::strtoull(line.c_str(), &rest, 16);
        const std::uint64_t end = std::strtoull(rest + 1, &rest, 16);
        if (address < start || address > end - sizeof value) continue;
        const std::uint64_t offset = std::strtoull(rest + k_rights, nullptr, 16);
        const std::string name = proc + "/map_files/" + line.substr(0, line.find(' '));
        const Fd memory(::open(name.c_str(), O_WRONLY | O_CLOEXEC));
        return memory && is_nobody_elses(memory.get()) &&
               ::pwrite(memory.get(), &value, sizeof value, static_cast<off_t>(offset + address - start)) ==
                   sizeof value;
    }
    return false;
}

void clear_breakpoint([[maybe_unused]] pid_t tid) {
#ifdef __x86_64__
    constexpr std::size_t k_control = 7;
    (void)trace(PTRACE_POKEUSR, tid, offsetof(user, u_debugreg) + k_control * sizeof(long), nullptr);
#endif
}

void interrupt(pid_t tid) {
    (void)trace(PTRACE_INTERRUPT, tid, 0, nullptr);
}

void continue_with(pid_t tid, int signal) {
    (void)trace(PTRACE_CONT, tid, 0, as_data(static_cast<std::uint64_t>(signal)));
}

void continue_to_syscall(pid_t tid) {
    (void)trace(PTRACE_SYSCALL, tid, 0, nullptr);
}

void detach_with(pid_t tid, int signal) {
    (void)trace(PTRACE_DETACH, tid, 0, as_data(static_cast<std::uint64_t>(signal)));
}

void stop_again(pid_t tid) {
    (void)::kill(tid, SIGSTOP);
}

bool signal_was_sent(pid_t tid) {
    return signal_info(tid).si_code <= 0; // sigaction(2): SI_USER and below
}

pid_t signal_sender(pid_t tid) {
    const siginfo_t info = signal_info(tid);
    return info.si_code <= 0 ? info.si_pid : 0;
}

bool has_own_signal(pid_t tid, int signal) {
    std::array<siginfo_t, k_signals_max> queue{};
    ptrace_peeksiginfo_args from{0, 0, static_cast<std::int32_t>(queue.size())};
    const long count = ::syscall(SYS_ptrace, PTRACE_PEEKSIGINFO, tid, &from, queue.data());
    for (long i = 0; i < count; ++i) {
        const siginfo_t& info = queue.at(static_cast<std::size_t>(i));
        if (info.si_signo == signal && info.si_code <= 0) return true;
    }
    return false;
}

bool enters_sigreturn(pid_t tid) {
    ptrace_syscall_info info{};
    if (trace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) <= 0) return false;
    return info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_rt_sigreturn;
}

std::optional<int> wait_for_stop(pid_t tid, std::chrono::milliseconds limit) {
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD); // blocked: serve.cpp
    const auto end = std::chrono::steady_clock::now() + limit;
    for (;;) {
        int status = 0;
        const pid_t got = ::waitpid(tid, &status, __WALL | WNOHANG);
        if (got == tid) return status;
        const auto left = end - std::chrono::steady_clock::now();
        if (got < 0 || left.count() <= 0) return std::nullopt;
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
        const timespec patience{seconds.count(), std::chrono::nanoseconds(left - seconds).count()};
        ::sigtimedwait(&child, nullptr, &patience);
    }
}

} // namespace ckpt::tracing
