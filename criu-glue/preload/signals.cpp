// SPDX-License-Identifier: GPL-2.0-or-later
// Loaded into criu: "every signal" means every signal.
//
// A task that criu restores has the job's signal handlers before it loses criu's capabilities
// (cr-restore.c:restore_one_alive_task, restorer.c:restore_creds). criu blocks all signals meanwhile, with
// glibc's sigprocmask(3), which leaves out the two that glibc keeps for itself; the job's user may send
// those, and a handler of the job's would run with rights that the user does not have.
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstring>

namespace {

constexpr std::uint64_t bit(unsigned signal) {
    return std::uint64_t{1} << (signal - 1);
}
constexpr std::uint64_t k_neighbours = bit(31) | bit(34);
constexpr std::uint64_t k_glibcs = bit(32) | bit(33);

} // namespace

extern "C" __attribute__((visibility("default"))) int sigprocmask(int how, const sigset_t* set,
                                                                  sigset_t* old) noexcept {
    std::uint64_t mask = 0;
    if (set != nullptr) std::memcpy(&mask, set, sizeof mask);
    if (how != SIG_UNBLOCK && (mask & k_neighbours) == k_neighbours) mask |= k_glibcs;
    if (old != nullptr) ::sigemptyset(old);
    return static_cast<int>(
        ::syscall(SYS_rt_sigprocmask, how, set != nullptr ? &mask : nullptr, old, sizeof mask));
}
