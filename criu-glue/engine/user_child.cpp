// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/user_child.hpp"

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "os/files.hpp"
#include "os/process.hpp"
#include "wire/worker.hpp"

namespace ckpt {

namespace {

using Clock = std::chrono::steady_clock;

// What a child that the user's files have taken over can cost the node.
constexpr std::size_t k_most_text = std::size_t{64} << 20U;

// What the child sends back: the text or why there is none.
struct ChildAnswer {
    static constexpr std::uint16_t k_type = 90; // never leaves the engine
    wire::Outcome outcome;
    std::string text;
    template <class V>
    void fields(V& v) {
        v(outcome, text);
    }
};

Status become(const JobUser& user, int mount_ns) {
    if (mount_ns >= 0 && ::setns(mount_ns, CLONE_NEWNS) != 0)
        return fail_errno(Code::os, "enter a mount namespace");
    CKPT_TRY(const Root root, Root::claim());
    CKPT_CHECK(drop_to(root, user));
    // It has root's memory and descriptors, and fs.suid_dumpable need not be 0: neither the user's other
    // processes nor a core file may get at them.
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
#ifndef CKPT_SANITIZED // which reserves terabytes
    constexpr rlim_t k_memory = rlim_t{2} << 30U;
    const rlimit memory{k_memory, k_memory};
    ::setrlimit(RLIMIT_AS, &memory);
#endif
    return {};
}

[[noreturn]] void run_child(const JobUser& user, int mount_ns, int out,
                            const std::function<Result<std::string>()>& work) {
    ChildAnswer answer;
    Result<std::string> text = fail(Code::internal, "");
    if (const Status ready = become(user, mount_ns); ready)
        text = work();
    else
        text = tl::unexpected(ready.error());
    if (text)
        answer.text = std::move(*text);
    else
        answer.outcome = wire::outcome_of(text.error());
    (void)write_all(out, wire::encode(answer));
    ::_exit(0);
}

Result<std::string> read_until_end(int fd, Clock::time_point end) {
    std::string text;
    std::array<char, 4096> buffer{};
    for (;;) {
        pollfd wait_for{fd, POLLIN, 0};
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        const int ready = ::poll(&wait_for, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
        if (ready == 0) return fail(Code::deadline, "the user's files did not answer in time");
        if (ready < 0 && errno != EINTR) return fail_errno(Code::os, "wait for a child");
        if (ready < 0) continue;
        const ssize_t n = ::read(fd, buffer.data(), buffer.size());
        if (n == 0) return text;
        if (n < 0 && errno != EINTR) return fail_errno(Code::os, "read from a child");
        if (n > 0) text.append(buffer.data(), static_cast<std::size_t>(n));
        if (text.size() > k_most_text)
            return fail(Code::os, "the child that looks at the user's files says too much");
    }
}

} // namespace

Result<std::string> as_user(const JobUser& user, int mount_ns, std::chrono::milliseconds limit,
                            const std::function<Result<std::string>()>& work) {
    CKPT_TRY(Pipe pipe, make_pipe());
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno(Code::os, "fork");
    if (pid == 0) run_child(user, mount_ns, pipe.write.get(), work);
    pipe.write.reset();
    CKPT_TRY(Fd pidfd, open_pidfd(pid));
    const Child child(pid, std::move(pidfd)); // kills it when it hangs
    CKPT_TRY(const std::string bytes, read_until_end(pipe.read.get(), Clock::now() + limit));
    CKPT_TRY(ChildAnswer answer, wire::decode<ChildAnswer>(bytes));
    CKPT_CHECK(wire::status_of(answer.outcome));
    return std::move(answer.text);
}

} // namespace ckpt
