// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "os/process.hpp"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 // Linux 6.5
#endif

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 // Linux 6.16
#endif

namespace ckpt {

namespace {

using Clock = std::chrono::steady_clock;

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return fail(Code::os, "socket path too long: " + path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

Status wait_ready(int fd, short events, Clock::time_point end, const char* what) {
    for (;;) {
        pollfd poll_for{fd, events, 0};
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        const int ready = ::poll(&poll_for, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
        if (ready > 0) return {};
        if (ready == 0) return fail(Code::deadline, std::string(what) + " took too long");
        if (errno != EINTR) return fail_errno(Code::os, what);
    }
}

std::vector<Fd> take_fds(msghdr& message) {
    std::vector<Fd> fds;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            fds.emplace_back(fd);
        }
    }
    return fds;
}

} // namespace

Result<std::pair<Fd, Fd>> make_socket_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return fail_errno(Code::os, "make a socket pair");
    return std::pair{Fd(ends[0]), Fd(ends[1])};
}

Result<Fd> listen_at(const std::string& path, mode_t mode) {
    CKPT_TRY(const sockaddr_un address, address_of(path));
    Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail_errno(Code::os, "make a socket");
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(Code::os, "remove stale " + path);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail_errno(Code::os, "bind " + path);
    if (::chmod(path.c_str(), mode) != 0) return fail_errno(Code::os, "set the mode of " + path);
    if (::listen(fd.get(), 128) != 0) return fail_errno(Code::os, "listen at " + path);
    return fd;
}

Result<Fd> accept_from(int listener) {
    Fd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) return fail_errno(Code::os, "accept");
    return fd;
}

void refuse_descriptors(int socket) {
    const int off = 0;
    (void)::setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off);
}

Result<Fd> connect_to(const std::string& path) {
    CKPT_TRY(const sockaddr_un address, address_of(path));
    Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!fd) return fail_errno(Code::os, "make a socket");
    // A full backlog would block connect(2) for as long as the daemon hangs; SO_SNDTIMEO bounds it (unix(7)).
    const timeval limit{1, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    int done = 0;
    while ((done = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address)) != 0 &&
           errno == EINTR) {
    }
    if (done != 0) return fail_errno(Code::daemon_unreachable, "connect to " + path);
    return fd;
}

Result<Peer> peer_of(int socket) {
    ucred creds{};
    socklen_t size = sizeof creds;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &creds, &size) != 0)
        return fail_errno(Code::os, "ask for the peer's identity");
    Peer peer{creds.pid, creds.uid, creds.gid, Fd()};
    int pidfd = -1;
    size = sizeof pidfd;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0)
        peer.pidfd = Fd(pidfd);
    else if (creds.pid > 0) {
        auto opened = open_pidfd(creds.pid);
        if (opened) peer.pidfd = std::move(*opened);
    }
    return peer;
}

Status send_packet(int socket, std::string_view bytes, std::span<const int> fds,
                   std::chrono::milliseconds limit) {
    if (bytes.size() > k_packet_max || fds.size() > k_packet_fds_max)
        return fail(Code::internal, "a message too large to send");
    iovec io{const_cast<char*>(bytes.data()), bytes.size()}; // sendmsg only reads it
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * k_packet_fds_max)> control{};
    msghdr message{};
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
    const auto end = Clock::now() + limit;
    for (;;) {
        const ssize_t n = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n == static_cast<ssize_t>(bytes.size())) return {};
        if (n >= 0) return fail(Code::internal, "a message was cut in sending");
        if (errno == EINTR) continue;
        if (errno == EPIPE || errno == ECONNRESET) return fail(Code::not_found, "the peer has gone");
        if (errno != EAGAIN && errno != EWOULDBLOCK) return fail_errno(Code::os, "send a message");
        CKPT_CHECK(wait_ready(socket, POLLOUT, end, "sending a message"));
    }
}

Result<Packet> receive_packet(int socket, std::chrono::milliseconds limit) {
    const auto end = Clock::now() + limit;
    std::string buffer(k_packet_max, '\0');
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * k_packet_fds_max)> control{};
    for (;;) {
        iovec io{buffer.data(), buffer.size()};
        msghdr message{};
        message.msg_iov = &io;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (n < 0) {
            if (errno == EINTR) continue;
            if (errno == ECONNRESET) return fail(Code::not_found, "the peer has gone");
            if (errno != EAGAIN && errno != EWOULDBLOCK) return fail_errno(Code::os, "receive a message");
            CKPT_CHECK(wait_ready(socket, POLLIN, end, "waiting for a message"));
            continue;
        }
        Packet packet;
        packet.fds = take_fds(message); // owned first, so that a refused message leaks nothing
        if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
            return fail(Code::wire_malformed, "a message larger than allowed");
        if (n == 0) return fail(Code::not_found, "the peer has gone");
        buffer.resize(static_cast<std::size_t>(n));
        packet.bytes = std::move(buffer);
        return packet;
    }
}

} // namespace ckpt
