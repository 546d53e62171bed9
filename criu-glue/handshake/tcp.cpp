// SPDX-License-Identifier: GPL-2.0-or-later
#include "handshake/tcp.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <format>
#include <iterator>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace ckpt {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t k_head = 4;
constexpr std::size_t k_addresses_max = 8; // of a host that are tried
// Where the kernel's NFS takes ports from, too (its sunrpc.min_resvport); above printing and LDAP.
constexpr std::uint16_t k_first_port = 665;
constexpr std::uint16_t k_port_count = 1024 - k_first_port;

struct FreeAddresses {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Status wait_ready(int socket, short events, Moment end) {
    for (;;) {
        pollfd one{socket, events, 0};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
        const auto bounded = std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max());
        const int ready = ::poll(&one, 1, static_cast<int>(bounded));
        if (ready > 0) return {};
        if (ready == 0) return fail_errno(Code::deadline, "the other node does not answer", ETIMEDOUT);
        if (errno != EINTR) return fail_errno(Code::os, "wait for the other node");
    }
}

// Nothing to complain about when the other side has only to be waited for.
Status wait_or_fail(int socket, short events, Moment end, const char* what) {
    if (errno == EINTR) return {};
    if (errno == EPIPE || errno == ECONNRESET)
        return fail(Code::not_found, "the other node has closed the connection");
    if (errno != EAGAIN && errno != EWOULDBLOCK) return fail_errno(Code::os, what);
    return wait_ready(socket, events, end);
}

int bind_to(int socket, int family, std::uint16_t port) {
    if (family == AF_INET6) {
        sockaddr_in6 any{};
        any.sin6_family = AF_INET6;
        any.sin6_port = htons(port);
        return ::bind(socket, reinterpret_cast<const sockaddr*>(&any), sizeof any);
    }
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(port);
    return ::bind(socket, reinterpret_cast<const sockaddr*>(&any), sizeof any);
}

// To a port that nothing uses. From then on it is shared with whoever wants to listen there: the connection
// stays, and a server of the node that starts later must not fail for it.
Status bind_below_1024(int socket, int family) {
    std::uint16_t start = 0;
    if (::getrandom(&start, sizeof start, 0) != sizeof start) start = 0; // any will do
    for (std::uint16_t i = 0; i < k_port_count; ++i) {
        const auto port = static_cast<std::uint16_t>(k_first_port + (start + i) % k_port_count);
        if (bind_to(socket, family, port) == 0) {
            const int on = 1;
            (void)::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
            return {};
        }
        if (errno != EADDRINUSE) break;
    }
    return fail_errno(Code::daemon_unreachable,
                      std::format("take a port from {} to 1023 to connect from", k_first_port));
}

struct Way {
    const addrinfo* address;
    Fd socket;
};

Result<Way> way_to(const addrinfo& address) {
    Way way{&address, Fd(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))};
    if (!way.socket) return fail_errno(Code::daemon_unreachable, "make a socket");
    CKPT_CHECK(bind_below_1024(way.socket.get(), address.ai_family));
    return way;
}

// What there are sockets for; an error when there are none.
Result<std::vector<Way>> ways_to(const addrinfo* addresses) {
    std::vector<Way> ways;
    Error why;
    for (const addrinfo* one = addresses; one != nullptr && ways.size() < k_addresses_max;
         one = one->ai_next) {
        auto way = way_to(*one);
        if (way)
            ways.push_back(std::move(*way));
        else
            why = way.error();
    }
    if (ways.empty()) return tl::unexpected(why);
    return ways;
}

Status connect_one(const Way& way, Moment end) {
    const int fd = way.socket.get();
    if (::connect(fd, way.address->ai_addr, way.address->ai_addrlen) == 0) return {};
    if (errno != EINPROGRESS) return fail_errno(Code::daemon_unreachable, "connect");
    CKPT_CHECK(wait_ready(fd, POLLOUT, end));
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
        return fail_errno(Code::daemon_unreachable, "connect", error != 0 ? error : errno);
    return {};
}

Result<Addresses> look_up(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    if (error != 0)
        return fail(Code::daemon_unreachable,
                    std::format("cannot find the address of {}: {}", host,
                                error == EAI_SYSTEM ? std::generic_category().message(errno)
                                                    : std::string(::gai_strerror(error))),
                    "does this node's name service know it?");
    return Addresses(list);
}

} // namespace

Result<Fd> connect_tcp(const std::string& host, std::uint16_t port, Moment end,
                       const std::function<Status()>& bound) {
    CKPT_TRY(const Addresses addresses, look_up(host, port));
    CKPT_TRY(std::vector<Way> ways, ways_to(addresses.get()));
    CKPT_CHECK(bound());
    auto left = static_cast<int>(ways.size());
    int why = 0;
    for (Way& way : ways) {
        const auto now = Clock::now();
        const Status done = connect_one(way, now + (end - now) / left--);
        if (done) return std::move(way.socket);
        why = done.error().errnum;
    }
    return tl::unexpected(Error{
        Code::daemon_unreachable,
        std::format("cannot connect to port {} of {}: {}", port, host, std::generic_category().message(why)),
        std::format("is port {} of {} reachable, and does its ckptd listen?", port, host), why});
}

Status TimedStream::send(std::string_view bytes) const {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(m_socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0)
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        else
            CKPT_CHECK(wait_or_fail(m_socket, POLLOUT, m_end, "send to the other node"));
    }
    return {};
}

Result<std::string> TimedStream::receive(std::size_t size) const {
    std::string bytes(size, '\0');
    std::size_t got = 0;
    while (got < size) {
        const ssize_t n = ::recv(m_socket, bytes.data() + got, size - got, MSG_DONTWAIT);
        if (n > 0)
            got += static_cast<std::size_t>(n);
        else if (n == 0)
            return fail(Code::not_found, "the other node has closed the connection");
        else
            CKPT_CHECK(wait_or_fail(m_socket, POLLIN, m_end, "receive from the other node"));
    }
    return bytes;
}

Status TimedStream::send_frame(std::string_view bytes) const {
    std::string frame;
    for (std::size_t i = 0; i < k_head; ++i)
        frame += static_cast<char>(bytes.size() >> (8 * i) & 0xffU);
    return send(frame.append(bytes));
}

Result<std::string> TimedStream::receive_frame(std::size_t max) const {
    CKPT_TRY(const std::string head, receive(k_head));
    std::size_t size = 0;
    for (std::size_t i = 0; i < k_head; ++i)
        size |= static_cast<std::size_t>(static_cast<unsigned char>(head[i])) << (8 * i);
    if (size > max)
        return fail(Code::wire_malformed, std::format("the other side sends a frame of {} bytes", size));
    return receive(size);
}

} // namespace ckpt
