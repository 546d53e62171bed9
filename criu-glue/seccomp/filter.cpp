// SPDX-License-Identifier: GPL-2.0-or-later
#include "seccomp/filter.hpp"

#include <seccomp.h>

#include <cerrno>
#include <memory>

namespace ckpt {

namespace {

// By name: libseccomp knows which of them this architecture has.
constexpr const char* k_allowed[] = {
    // files and directories
    "close", "dup", "fadvise64", "fallocate", "fchmod", "fchown", "fchownat", "fcntl", "fdatasync", "flock",
    "fstat", "fstatfs", "fsync", "ftruncate", "getdents64", "linkat", "lseek", "mkdirat", "newfstatat",
    "openat", "openat2", "pread64", "pwrite64", "read", "readlinkat", "readv", "renameat", "renameat2",
    "statx", "umask", "unlinkat", "utimensat", "write", "writev",
    // the sockets and pipes it was given
    "getsockopt", "pipe2", "poll", "ppoll", "recvfrom", "recvmsg", "sendmsg", "sendto", "setsockopt",
    "shutdown",
    // memory and threads
    "brk", "clone", "clone3", "futex", "gettid", "madvise", "mlock", "mmap", "mprotect", "mremap", "munlock",
    "munmap", "rseq", "sched_getaffinity", "sched_yield", "set_robust_list",
    // itself
    "clock_gettime", "clock_nanosleep", "exit", "exit_group", "getegid", "geteuid", "getgid", "getpid",
    "getrandom", "gettimeofday", "getuid", "prctl", "restart_syscall", "rt_sigaction", "rt_sigprocmask",
    "rt_sigreturn", "sigaltstack", "tgkill", "time"};

struct Release {
    void operator()(void* filter) const { seccomp_release(filter); }
};

Status failed(const char* what, int negative_errno) {
    return fail_errno(Code::os, what, -negative_errno);
}

} // namespace

Status allow_only_files() {
    // ENOSYS: a newer libc that tries a newer call first goes on with the older one.
    const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
    if (!filter) return fail(Code::os, "make a filter of system calls");
    for (const char* name : k_allowed) {
        const int number = seccomp_syscall_resolve_name(name);
        if (number < 0) continue; // no call of this architecture
        if (const int done = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, number, 0); done != 0)
            return failed("allow a system call", done);
    }
    if (const int done = seccomp_load(filter.get()); done != 0)
        return failed("load a filter of system calls", done);
    return {};
}

} // namespace ckpt
