// SPDX-License-Identifier: GPL-2.0-or-later
// A network of the test's own, for root: nobody else listens or connects there.
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstdint>

#include "os/fd.hpp"

namespace ckpt::test {

inline bool set_loopback_up() {
    const Fd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq loopback{};
    loopback.ifr_name[0] = 'l';
    loopback.ifr_name[1] = 'o';
    loopback.ifr_flags = IFF_UP;
    return ::ioctl(any.get(), SIOCSIFFLAGS, &loopback) == 0;
}
// The calling process leaves its network for good.
inline bool enter_own_network() {
    return ::unshare(CLONE_NEWNET) == 0 && set_loopback_up();
}

inline std::uint16_t port_of(int socket) {
    sockaddr_in6 address{};
    socklen_t size = sizeof address;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
    return ntohs(address.sin6_port); // where that of sockaddr_in is, too
}

// Connected over the loopback; 127.0.0.`host` and `from` are the near end, 0: any port.
inline Fd connect_from(std::uint8_t host, std::uint16_t from, std::uint16_t to) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(from);
    address.sin_addr.s_addr = htonl((INADDR_LOOPBACK & 0xffffff00U) | host);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
    address.sin_port = htons(to);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
    return fd;
}

} // namespace ckpt::test
