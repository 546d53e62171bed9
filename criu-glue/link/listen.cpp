// SPDX-License-Identifier: GPL-2.0-or-later
#include "link/listen.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <format>

namespace ckpt {
namespace {

constexpr int k_backlog = 128;
constexpr int k_type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;

Error no_port(std::uint16_t port) {
    Error error = fail_errno(Code::os, std::format("listen on TCP port {}", port)).value();
    error.hint = "does another program listen there?";
    return error;
}

template <typename Address>
Result<Fd> listen_on(Fd fd, const Address& address, std::uint16_t port) {
    const int on = 1; // connections of a ckptd that has ended must not keep the next one from listening
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(fd.get(), k_backlog) != 0)
        return tl::unexpected(no_port(port));
    return fd;
}

Result<Fd> listen_ipv6(std::uint16_t port) {
    Fd fd(::socket(AF_INET6, k_type, 0));
    const int off = 0;
    if (!fd || ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0)
        return tl::unexpected(no_port(port));
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    return listen_on(std::move(fd), address, port);
}

Result<Fd> listen_ipv4(std::uint16_t port) {
    Fd fd(::socket(AF_INET, k_type, 0));
    if (!fd) return tl::unexpected(no_port(port));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    return listen_on(std::move(fd), address, port);
}

std::string text_of(int family, const void* address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const char* done = ::inet_ntop(family, address, text.data(), text.size());
    return done != nullptr ? done : "";
}

std::string text_of(const in6_addr& address) {
    constexpr std::size_t k_ipv4_at = 12; // in an address of IPv4 as IPv6 gives it
    if (IN6_IS_ADDR_V4MAPPED(&address)) return text_of(AF_INET, &address.s6_addr[k_ipv4_at]);
    return text_of(AF_INET6, &address);
}

template <typename Address>
Address as(const sockaddr_storage& from) {
    Address address{};
    std::memcpy(&address, &from, sizeof address);
    return address;
}

} // namespace

Result<Fd> listen_tcp(std::uint16_t port) {
    auto both = listen_ipv6(port);
    if (both || both.error().errnum == EADDRINUSE) return both;
    return listen_ipv4(port);
}

Result<TcpCaller> accept_tcp(int listener) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    Fd fd(::accept4(listener, reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC));
    if (!fd) return fail_errno(Code::os, "accept a connection");
    if (from.ss_family == AF_INET6) {
        const auto address = as<sockaddr_in6>(from);
        return TcpCaller{std::move(fd), text_of(address.sin6_addr), ntohs(address.sin6_port)};
    }
    const auto address = as<sockaddr_in>(from);
    return TcpCaller{std::move(fd), text_of(AF_INET, &address.sin_addr), ntohs(address.sin_port)};
}

} // namespace ckpt
