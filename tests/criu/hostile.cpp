// SPDX-License-Identifier: GPL-2.0-or-later
#include "hostile.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstring>

namespace ckpt::testing {

namespace {

int g_log = -1;

void on_signal(int /*signal*/) {
    std::array<char, 4096> status{};
    const int fd = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    const ssize_t n = ::read(fd, status.data(), status.size() - 1);
    ::close(fd);
    const char* at = n > 0 ? std::strstr(status.data(), "CapEff:\t") : nullptr;
    if (at != nullptr) (void)!::write(g_log, at + 8, 17);
}

// As the kernel has it; glibc's sigaction(3) refuses this signal.
struct KernelAction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)();
    std::uint64_t mask;
};

extern "C" void return_from_signal();
asm(R"(
return_from_signal:
    mov $15, %eax
    syscall
)");

constexpr unsigned long k_sa_restorer = 0x04000000;

} // namespace

int catch_signal_32(const char* log) {
    g_log = ::open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    const KernelAction action{on_signal, k_sa_restorer, return_from_signal, 0};
    if (::syscall(SYS_rt_sigaction, 32, &action, nullptr, sizeof action.mask) != 0) return 1;
    // A child that takes long to restore keeps the others waiting in the middle.
    if (::fork() == 0) {
        constexpr std::size_t k_size = 300 << 20;
        void* memory = ::mmap(nullptr, k_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory != MAP_FAILED) std::memset(memory, 7, k_size);
    } else {
        (void)!::write(STDOUT_FILENO, "ready\n", 6);
    }
    for (;;)
        ::pause();
}

} // namespace ckpt::testing
