// SPDX-License-Identifier: GPL-2.0-or-later
// Asks the kernel; nothing is sent.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "engine/addresses.hpp"
#include "os/fd.hpp"

namespace ckpt {

namespace {

constexpr in_port_t k_any_port = 9; // of a peer: only the route is looked up

union Name {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
};

Name name_of(const Address& address, in_port_t port) {
    Name name{};
    if (address.v6) {
        name.v6.sin6_family = AF_INET6;
        name.v6.sin6_port = ::htons(port);
        std::memcpy(&name.v6.sin6_addr, address.words.data(), sizeof name.v6.sin6_addr);
    } else {
        name.v4.sin_family = AF_INET;
        name.v4.sin_port = ::htons(port);
        name.v4.sin_addr.s_addr = address.words[0];
    }
    return name;
}

socklen_t size_of(const Address& address) {
    return address.v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

Fd udp_socket(const Address& like) {
    return Fd(::socket(like.v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

bool is_link_local(const Address& address) {
    const Name name = name_of(address, 0);
    return address.v6 && IN6_IS_ADDR_LINKLOCAL(&name.v6.sin6_addr);
}

bool can_bind(const Address& address) {
    const Fd socket = udp_socket(address);
    const Name name = name_of(address, 0);
    // Any other failure is CRIU's to report.
    return !socket || ::bind(socket.get(), &name.any, size_of(address)) == 0 || errno != EADDRNOTAVAIL;
}

Address loopback(bool v6) {
    return v6 ? Address{true, {0, 0, 0, ::htonl(1)}} : Address{false, {::htonl(INADDR_LOOPBACK), 0, 0, 0}};
}

} // namespace

std::optional<Address> address_here(const Address& old) {
    if (is_link_local(old) || can_bind(old)) return std::nullopt;
    const Fd socket = udp_socket(old);
    if (!socket) return std::nullopt;
    const Name peer = name_of(old, k_any_port);
    Name own{};
    socklen_t size = sizeof own;
    if (::connect(socket.get(), &peer.any, size_of(old)) != 0 ||
        ::getsockname(socket.get(), &own.any, &size) != 0)
        return loopback(old.v6);
    Address here{old.v6, {}};
    if (old.v6)
        std::memcpy(here.words.data(), &own.v6.sin6_addr, sizeof own.v6.sin6_addr);
    else
        here.words[0] = own.v4.sin_addr.s_addr;
    return is_link_local(here) ? loopback(true) : here;
}

} // namespace ckpt
