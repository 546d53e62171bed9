// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/stream.hpp"

#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <span>

namespace ckpt {

namespace {

constexpr std::size_t k_length_bytes = 4;

// A time limit of the socket has passed.
bool is_over(int errnum) {
    return errnum == EAGAIN || errnum == EWOULDBLOCK;
}
tl::unexpected<Error> silent() {
    return fail_errno(Code::deadline, "the other side does not answer", ETIMEDOUT);
}

Status send_all(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && is_over(errno)) return silent();
        if (sent < 0)
            return fail_errno(errno == EPIPE || errno == ECONNRESET ? Code::not_found : Code::os, "send");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
}

Status receive_all(int socket, std::span<char> into) {
    while (!into.empty()) {
        const ssize_t got = ::recv(socket, into.data(), into.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) return fail(Code::not_found, "the other side has closed the connection");
        if (got < 0 && is_over(errno)) return silent();
        if (got < 0) return fail_errno(errno == ECONNRESET ? Code::not_found : Code::os, "receive");
        into = into.subspan(static_cast<std::size_t>(got));
    }
    return {};
}

} // namespace

Result<std::pair<Fd, Fd>> make_stream_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return fail_errno(Code::os, "make a socket pair");
    return std::pair{Fd(ends[0]), Fd(ends[1])};
}

Status set_patience(int socket, std::chrono::milliseconds silence) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(silence);
    const std::chrono::microseconds rest = silence - seconds;
    const timeval limit{seconds.count(), rest.count()};
    for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
        if (::setsockopt(socket, SOL_SOCKET, option, &limit, sizeof limit) != 0)
            return fail_errno(Code::os, "limit the time of a socket");
    return {};
}

Status send_frame(int socket, std::string_view bytes) {
    if (bytes.size() > std::numeric_limits<std::uint32_t>::max())
        return fail(Code::internal, "a frame too long");
    std::array<char, k_length_bytes> head{};
    for (std::size_t i = 0; i < head.size(); ++i)
        head[i] = static_cast<char>(bytes.size() >> (8 * i) & 0xffU);
    CKPT_CHECK(send_all(socket, {head.data(), head.size()}));
    return send_all(socket, bytes);
}

Result<std::string> receive_frame(int socket, std::size_t max) {
    std::array<char, k_length_bytes> head{};
    CKPT_CHECK(receive_all(socket, head));
    std::size_t size = 0;
    for (std::size_t i = 0; i < head.size(); ++i)
        size |= static_cast<std::size_t>(static_cast<unsigned char>(head[i])) << (8 * i);
    if (size > max) return fail(Code::wire_malformed, "a frame of " + std::to_string(size) + " bytes");
    std::string bytes(size, '\0');
    CKPT_CHECK(receive_all(socket, bytes));
    return bytes;
}

} // namespace ckpt
