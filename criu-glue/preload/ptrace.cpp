// SPDX-License-Identifier: GPL-2.0-or-later
// Lets criu trace through ckpt-tracer (tracer/serve.hpp), during a dump: ptrace(2) and the waits for its
// tracees become messages. Whatever ckpt-tracer does not trace, and every process that criu forks, goes to
// the kernel, but for one stop in a restore that criu takes for a failure.
#include <linux/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

#include "tracer/protocol.hpp"
#include "tracer/stops.hpp"

// NOLINTBEGIN(performance-no-int-to-ptr): ptrace(2)'s arguments are either

namespace {

using namespace ckpt::tracing;

constexpr std::uint32_t k_siginfo = 128; // siginfo_t
constexpr std::uint32_t k_word = sizeof(long);
constexpr std::uint32_t k_filter_max = 4096 * 8;        // BPF_MAXINSNS times sizeof(sock_filter)
constexpr std::uint32_t k_thread_area = 16;             // struct user_desc
constexpr std::uint64_t k_shadow_stack_status = 0x5005; // ARCH_SHSTK_STATUS of asm/prctl.h, Linux 6.6
constexpr int k_reserved = 1;                           // bytes of a call that is no more than a value

int connection = -1;
pid_t owner = 0; // what criu forks is on its own

__attribute__((constructor)) void connect_to_tracer() {
    const char* number = std::getenv(k_variable);
    if (number == nullptr) return;
    connection = static_cast<int>(std::strtol(number, nullptr, 10));
    owner = ::getpid();
}

bool through_tracer() {
    return connection >= 0 && ::getpid() == owner;
}

bool is_peek(long request) {
    return request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSR;
}

// How many bytes are behind the pointers of a request; all others have values only.
void measure(Call& call) {
    switch (call.request) {
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA:
    case PTRACE_PEEKUSR:
        call.data_size = k_word;
        return;
    case PTRACE_GETREGSET:
    case PTRACE_SETREGSET:
        call.data_is_vector = 1;
        call.data_size = static_cast<std::uint32_t>(reinterpret_cast<iovec*>(call.data)->iov_len);
        return;
#ifdef __x86_64__
    case PTRACE_GETFPREGS:
    case PTRACE_SETFPREGS:
        call.data_size = sizeof(user_fpregs_struct);
        return;
    case PTRACE_GET_THREAD_AREA:
        call.data_size = k_thread_area;
        return;
    case PTRACE_ARCH_PRCTL:
        call.addr_size = call.data == k_shadow_stack_status ? k_word : 0;
        return;
#endif
    case PTRACE_GETSIGINFO:
        call.data_size = k_siginfo;
        return;
    case PTRACE_GETSIGMASK:
    case PTRACE_SETSIGMASK:
    case PTRACE_GET_RSEQ_CONFIGURATION:
    case PTRACE_SECCOMP_GET_METADATA:
        call.data_size = static_cast<std::uint32_t>(call.addr);
        return;
    case PTRACE_PEEKSIGINFO:
        call.addr_size = sizeof(ptrace_peeksiginfo_args);
        call.data_size =
            k_siginfo * static_cast<std::uint32_t>(reinterpret_cast<ptrace_peeksiginfo_args*>(call.addr)->nr);
        return;
    case PTRACE_SECCOMP_GET_FILTER:
        call.data_size = call.data != 0 ? k_filter_max : 0;
        return;
    default:
        return;
    }
}

void* data_of(const Call& call) {
    return call.data_is_vector != 0 ? reinterpret_cast<iovec*>(call.data)->iov_base
                                    : reinterpret_cast<void*>(call.data);
}

// criu's handlers of SIGCHLD ask with WNOHANG, for its children, and may interrupt a call that is under way.
// When it waits for any tracee, it says __WALL (infect.c:compel_stop_on_syscall), for any child it does not
// (namespaces.c:dump_namespaces).
bool may_be_tracee(pid_t pid, int options) {
    return (options & WNOHANG) == 0 && (pid > 0 || (options & __WALL) != 0);
}

// A restore has its root traced while it waits for the end of any child (cr-restore.c:restore_root_task), and
// takes each stop but SIGCHLD's for a failure (cr-restore.c:sigchld_process), also the one for a SIGCONT,
// which the root sends itself when it was pending in the images (pie/restorer.c:restore_signals;
// docs/experiments/pending-sigcont.md).
pid_t wait_for_any_end(int* status, int options, rusage* usage) {
    int found = 0;
    for (;;) {
        const auto pid = static_cast<pid_t>(::syscall(SYS_wait4, -1, &found, options, usage));
        if (pid > 0 && is_notice_of_sigcont(found) && ::syscall(SYS_ptrace, PTRACE_CONT, pid, 0, 0) == 0)
            continue;
        if (pid > 0 && status != nullptr) *status = found;
        return pid;
    }
}

// False: ckpt-tracer does not trace that process.
bool ask(Call& call, Answer& answer) {
    char nothing[k_reserved];
    iovec parts[] = {{&call, sizeof call},
                     {call.addr_size != 0 ? reinterpret_cast<void*>(call.addr) : nothing, call.addr_size},
                     {call.data_size != 0 ? data_of(call) : nothing, call.data_size}};
    ssize_t n = 0;
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 3;
    while ((n = ::sendmsg(connection, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR) {
    }
    parts[0] = {&answer, sizeof answer};
    if (n >= 0)
        while ((n = ::readv(connection, parts, 3)) < 0 && errno == EINTR) {
        }
    if (n >= static_cast<ssize_t>(sizeof answer)) return answer.not_traced == 0;
    answer.value = -1; // the kernel has let everything run
    answer.errnum = ESRCH;
    return true;
}

// NOLINTEND(performance-no-int-to-ptr)

// Gives ckpt-tracer a copy of a descriptor.
void keep_open(int fd) {
    Call call{Kind::keep, owner, 0, 0, 0, 0, 0, 0, 0};
    iovec part{&call, sizeof call};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    ssize_t n = 0;
    while ((n = ::sendmsg(connection, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR) {
    }
    Answer answer{};
    if (n > 0) // an answer that is left unread would be taken for the next call's
        while (::read(connection, &answer, sizeof answer) < 0 && errno == EINTR) {
        }
}

} // namespace

extern "C" __attribute__((visibility("default"))) long ptrace(long request, ...) noexcept {
    va_list arguments;
    va_start(arguments, request);
    const pid_t pid = va_arg(arguments, pid_t);
    auto* const addr = va_arg(arguments, void*);
    auto* data = va_arg(arguments, void*);
    va_end(arguments);
    long word = 0;
    if (is_peek(request)) data = &word; // ptrace(2), "C library/kernel differences"
    Call call{Kind::ptrace,
              owner,
              pid,
              0,
              0,
              0,
              request,
              reinterpret_cast<std::uintptr_t>(addr),
              reinterpret_cast<std::uintptr_t>(data)};
    Answer answer{};
    if (!through_tracer() || request == PTRACE_TRACEME) {
        answer.not_traced = 1;
    } else {
        measure(call);
        if (!ask(call, answer)) answer.not_traced = 1;
    }
    if (answer.not_traced != 0) {
        answer.value = ::syscall(SYS_ptrace, request, pid, addr, data);
        answer.errnum = answer.value < 0 ? errno : 0;
    } else if (call.data_is_vector != 0 && answer.value >= 0) {
        static_cast<iovec*>(data)->iov_len = answer.data_size;
    }
    if (answer.value < 0) {
        errno = answer.errnum;
        return -1;
    }
    if (!is_peek(request)) return answer.value;
    errno = 0;
    return word;
}

extern "C" __attribute__((visibility("default"))) pid_t wait4(pid_t pid, int* status, int options,
                                                              rusage* usage) {
    if (through_tracer() && may_be_tracee(pid, options)) {
        Call call{Kind::wait, owner, pid, 0, 0, 0, options, 0, 0};
        Answer answer{};
        if (ask(call, answer)) {
            if (status != nullptr) *status = answer.status;
            if (answer.value < 0) errno = answer.errnum;
            return static_cast<pid_t>(answer.value);
        }
    }
    if (pid == -1 && options == WNOHANG) return wait_for_any_end(status, options, usage);
    return static_cast<pid_t>(::syscall(SYS_wait4, pid, status, options, usage));
}

extern "C" __attribute__((visibility("default"))) pid_t waitpid(pid_t pid, int* status, int options) {
    return wait4(pid, status, options, nullptr);
}

// criu accepts nothing in a dump but the connections of its parasites (infect.c:accept_tsock).
extern "C" __attribute__((visibility("default"))) int accept(int socket, sockaddr* address, socklen_t* size) {
    const auto fd = static_cast<int>(::syscall(SYS_accept, socket, address, size));
    if (fd >= 0 && through_tracer()) keep_open(fd);
    return fd;
}
