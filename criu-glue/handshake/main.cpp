// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-handshake: opens one connection to, or hears one from, the ckptd of another node, and ends
// (handshake.hpp, wire/link_messages.hpp). Separate from ckptd, which so never waits for a name service or
// for munged, and reads nothing of a peer that has not shown who it is. It is root for munged only, and
// without root's capabilities.
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <format>

#include "handshake/handshake.hpp"
#include "os/socket.hpp"
#include "wire/link_messages.hpp"

namespace {

using ckpt::Code;
using ckpt::Error;
using ckpt::Fd;
using ckpt::Result;
using ckpt::Status;
using ckpt::wire::LinkResult;

constexpr auto k_request_limit = std::chrono::seconds(10);
constexpr std::chrono::milliseconds k_longest = std::chrono::minutes(10);

Status keep_capabilities(std::uint32_t kept) { // a set of those up to 31
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> sets{};
    sets.front().permitted = sets.front().effective = kept;
    if (::syscall(SYS_capset, &header, sets.data()) != 0)
        return ckpt::fail_errno(Code::os, "give up capabilities");
    return {};
}
Status give_up_capabilities() {
    return keep_capabilities(0);
}

Status harden() {
    ::umask(077);
    ::clearenv(); // NOLINT(concurrency-mt-unsafe): one thread
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
#ifndef CKPT_SANITIZED // which reserves terabytes
    constexpr rlim_t k_memory = rlim_t{512} << 20U;
    const rlimit memory{k_memory, k_memory};
    ::setrlimit(RLIMIT_AS, &memory);
#endif
    (void)std::signal(SIGPIPE, SIG_IGN);
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return ckpt::fail_errno(Code::os, "give up privileges to come");
    return keep_capabilities(1U << static_cast<unsigned>(CAP_NET_BIND_SERVICE));
}

// The result in case that a call blocks which has no limit of its own: the signal handler sends it.
std::string
    last_words; // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): a handler has no argument

extern "C" void give_up(int /*signal*/) {
    (void)::send(ckpt::wire::k_worker_fd, last_words.data(), last_words.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::_exit(EXIT_FAILURE);
}

// From now on until `end`, and a moment more, or the error is the result.
void limit(ckpt::Moment end, const Error& error) {
    const itimerval off{};
    ::setitimer(ITIMER_REAL, &off, nullptr);
    LinkResult result;
    result.outcome = ckpt::wire::outcome_of(error);
    last_words = ckpt::wire::encode(result);
    (void)std::signal(SIGALRM, give_up);
    // Half the margin that ckptd leaves us: limits of calls that have one come first, they know more.
    const auto left = std::chrono::ceil<std::chrono::microseconds>(
        std::max(end - std::chrono::steady_clock::now(), std::chrono::steady_clock::duration(0)) +
        std::chrono::milliseconds(ckpt::wire::k_handshake_margin) / 2);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    const itimerval at{{0, 0}, {seconds.count(), (left - seconds).count()}};
    ::setitimer(ITIMER_REAL, &at, nullptr);
}
void no_limit() {
    const itimerval off{};
    ::setitimer(ITIMER_REAL, &off, nullptr);
}

const Error k_no_munged{Code::munge, "munged does not answer", "is munged running?", 0};

ckpt::Moment end_of(std::uint32_t timeout_ms) {
    return std::chrono::steady_clock::now() + std::min(std::chrono::milliseconds(timeout_ms), k_longest);
}

Result<LinkResult> result_of(Result<ckpt::LinkAgreed> agreed) {
    if (!agreed) return tl::unexpected(agreed.error());
    const auto text = [](const ckpt::Secret& secret) {
        return std::string(reinterpret_cast<const char*>(secret.bytes().data()), ckpt::Secret::k_size);
    };
    LinkResult result;
    result.send_key = text(agreed->send_key);
    result.receive_key = text(agreed->receive_key);
    result.hello = std::move(agreed->hello);
    return result;
}

Result<LinkResult> run(const ckpt::wire::ConnectRequest& request, std::vector<Fd>& fds) {
    if (!fds.empty()) return ckpt::fail(Code::wire_malformed, "a connection needs no descriptor");
    const auto end = end_of(request.timeout_ms);
    limit(end, {Code::deadline, "looking up " + request.host + " takes too long",
                "does this node's name service answer?", 0});
    CKPT_TRY(Fd socket, ckpt::connect_tcp(request.host, request.port, end, give_up_capabilities));
    limit(end, k_no_munged);
    ckpt::Munged munge;
    auto result = result_of(ckpt::greet(munge, {socket.get(), end}, request.hello));
    if (result) {
        fds.push_back(std::move(socket));
        return result;
    }
    Error error = result.error();
    error.what = std::format("no connection to the ckptd of {}: {}", request.host, error.what);
    if (error.code == Code::not_found || error.code == Code::deadline) // of TimedStream, which knows no more
        error = {Code::daemon_unreachable, std::move(error.what),
                 std::format("its log may say why; is port {} there ckptd's?", request.port), error.errnum};
    return tl::unexpected(std::move(error));
}

Result<LinkResult> run(const ckpt::wire::AcceptRequest& request, std::vector<Fd>& fds) {
    CKPT_CHECK(give_up_capabilities());
    if (fds.size() != 1) return ckpt::fail(Code::wire_malformed, "an answer needs one descriptor");
    const Fd socket = std::move(fds.front());
    fds.clear();
    const auto end = end_of(request.timeout_ms);
    limit(end, k_no_munged);
    ckpt::Munged munge;
    return result_of(ckpt::answer_greeting(munge, {socket.get(), end}, request.node));
}

template <typename Request>
Result<LinkResult> serve(const std::string& bytes, std::vector<Fd>& fds) {
    CKPT_TRY(const Request request, ckpt::wire::decode<Request>(bytes));
    return run(request, fds);
}

int fatal(const std::string& what) {
    (void)std::fprintf(stderr, "ckpt-handshake: %s\n", what.c_str());
    return EXIT_FAILURE;
}

int work() {
    auto request = ckpt::receive_packet(ckpt::wire::k_worker_fd, k_request_limit);
    if (!request) return fatal(ckpt::one_line(request.error()));
    const auto type = ckpt::wire::type_of(request->bytes);
    const bool is_accept = type && *type == ckpt::wire::AcceptRequest::k_type;
    auto done = is_accept ? serve<ckpt::wire::AcceptRequest>(request->bytes, request->fds)
                          : serve<ckpt::wire::ConnectRequest>(request->bytes, request->fds);
    no_limit();
    LinkResult result;
    if (done)
        result = std::move(*done);
    else
        result.outcome = ckpt::wire::outcome_of(done.error());
    std::vector<int> fds;
    if (done && !is_accept) fds.push_back(request->fds.front().get());
    const auto sent = ckpt::send_packet(ckpt::wire::k_worker_fd, ckpt::wire::encode(result), fds);
    return sent ? EXIT_SUCCESS : fatal(ckpt::one_line(sent.error()));
}

} // namespace

int main() {
    if (const auto done = harden(); !done) return fatal(ckpt::one_line(done.error()));
    try {
        return work();
    } catch (const std::exception& error) { // memory: ckptd sees the missing answer
        return fatal(error.what());
    }
}
