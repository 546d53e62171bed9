// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/datagram.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace ckpt {

namespace {

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return fail(Code::os, "socket path too long: " + path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

void take_control(msghdr& message, Datagram& into) {
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET) continue;
        if (c->cmsg_type == SCM_CREDENTIALS) {
            ucred creds{};
            std::memcpy(&creds, CMSG_DATA(c), sizeof creds);
            into.pid = creds.pid;
            into.uid = creds.uid;
        }
        if (c->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            into.fds.emplace_back(fd);
        }
    }
}

std::string path_of(const sockaddr_un& address, socklen_t size) {
    constexpr std::size_t k_before = offsetof(sockaddr_un, sun_path);
    if (size <= k_before || address.sun_path[0] == '\0') return {};
    return {address.sun_path, ::strnlen(address.sun_path, size - k_before)};
}

} // namespace

Result<Fd> bind_datagram(const std::string& path, Senders senders) {
    CKPT_TRY(const sockaddr_un address, address_of(path));
    Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail_errno(Code::os, "make a socket");
    const int on = senders == Senders::known ? 1 : 0;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(Code::os, "remove stale " + path);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail_errno(Code::os, "bind " + path);
    if (::chmod(path.c_str(), 0600) != 0) return fail_errno(Code::os, "set the mode of " + path);
    return fd;
}

Status send_datagram(int socket, const std::string& path, std::string_view bytes, std::span<const int> fds) {
    if (bytes.size() > k_datagram_max || fds.size() > k_datagram_fds_max)
        return fail(Code::internal, "a message too large to send");
    CKPT_TRY(sockaddr_un address, address_of(path));
    iovec io{const_cast<char*>(bytes.data()), bytes.size()}; // sendmsg only reads it
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * k_datagram_fds_max)> control{};
    msghdr message{};
    message.msg_name = &address;
    message.msg_namelen = sizeof address;
    message.msg_iov = &io;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(fds.size_bytes());
        cmsghdr* c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(c), fds.data(), fds.size_bytes());
    }
    while (::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN) return fail_errno(Code::busy, "the receiver takes no more messages");
        if (errno == ECONNREFUSED || errno == ENOENT) return fail(Code::not_found, "nobody is at " + path);
        return fail_errno(Code::os, "send a message");
    }
    return {};
}

Result<Datagram> receive_datagram(int socket) {
    Datagram datagram;
    datagram.bytes.resize(k_datagram_max);
    alignas(cmsghdr)
        std::array<char, CMSG_SPACE(sizeof(int) * k_datagram_fds_max) + CMSG_SPACE(sizeof(ucred))>
            control{};
    sockaddr_un address{};
    iovec io{datagram.bytes.data(), datagram.bytes.size()};
    msghdr message{};
    message.msg_name = &address;
    message.msg_namelen = sizeof address;
    message.msg_iov = &io;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t n = 0;
    while ((n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)) < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN) return fail(Code::deadline, "no message");
        return fail_errno(Code::os, "receive a message");
    }
    take_control(message, datagram); // owned first, so that a refused message leaks nothing
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return fail(Code::wire_malformed, "a message larger than allowed");
    datagram.bytes.resize(static_cast<std::size_t>(n));
    datagram.from = path_of(address, message.msg_namelen);
    return datagram;
}

} // namespace ckpt
