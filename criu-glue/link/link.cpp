// SPDX-License-Identifier: GPL-2.0-or-later
#include "link/link.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "fault/fault.hpp"

namespace ckpt {
namespace {

constexpr std::size_t k_chunk = std::size_t{64} << 10U;
constexpr std::size_t k_read_max = std::size_t{4} << 20U; // with one receive(), so that it comes to an end
// Half a minute without a sign of life: after 10 s without data a probe every 5 s; of what is sent, and of
// probes (tcp(7), TCP_USER_TIMEOUT), the first may be unanswered for 30 s.
constexpr int k_idle_s = 10;
constexpr int k_probe_s = 5;
constexpr int k_probes = 4;
constexpr int k_unanswered_ms = 30'000;

bool would_block(int errnum) {
    return errnum == EAGAIN || errnum == EWOULDBLOCK;
}

Error gone() {
    return {Code::not_found, "the other node has closed the connection", "", 0};
}
// A node that is silent for too long shows as ETIMEDOUT, a route that is lost as EHOSTUNREACH and the like.
Error broken(const char* what) {
    const int errnum = errno;
    Error error = fail_errno(Code::os, what, errnum).value();
    for (const int lost : {EPIPE, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN})
        if (errnum == lost) error.code = Code::not_found;
    return error;
}

Status set(int socket, int level, int option, int value) {
    if (::setsockopt(socket, level, option, &value, sizeof value) != 0)
        return fail_errno(Code::os, "set an option of a connection");
    return {};
}

// Other streams than those of TCP, as in tests, have no such options.
Status prepare(int socket) {
    const int flags = ::fcntl(socket, F_GETFL);
    if (flags < 0 || ::fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0)
        return fail_errno(Code::os, "make a connection non-blocking");
    int protocol = 0;
    socklen_t size = sizeof protocol;
    if (::getsockopt(socket, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0)
        return fail_errno(Code::os, "ask for a connection's protocol");
    if (protocol != IPPROTO_TCP) return {};
    CKPT_CHECK(set(socket, IPPROTO_TCP, TCP_NODELAY, 1));
    CKPT_CHECK(set(socket, SOL_SOCKET, SO_KEEPALIVE, 1));
    CKPT_CHECK(set(socket, IPPROTO_TCP, TCP_KEEPIDLE, k_idle_s));
    CKPT_CHECK(set(socket, IPPROTO_TCP, TCP_KEEPINTVL, k_probe_s));
    CKPT_CHECK(set(socket, IPPROTO_TCP, TCP_KEEPCNT, k_probes));
    return set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, k_unanswered_ms);
}

std::size_t rest_of_frame(std::string_view head) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < k_frame_head; ++i)
        size |= static_cast<std::size_t>(static_cast<unsigned char>(head[i])) << (8 * i);
    return size;
}

} // namespace

Link::Link(Fd socket, FrameSealer sealer, FrameOpener opener)
    : m_socket(std::move(socket)), m_sealer(std::move(sealer)), m_opener(std::move(opener)) {}

Result<Link> Link::open(Fd socket, std::string_view send_key, std::string_view receive_key) {
    CKPT_CHECK(prepare(socket.get()));
    CKPT_TRY(FrameSealer sealer, FrameSealer::start(send_key));
    CKPT_TRY(FrameOpener opener, FrameOpener::start(receive_key));
    return Link(std::move(socket), std::move(sealer), std::move(opener));
}

// Whoever has failed says nothing more, and the other side is to see it.
tl::unexpected<Error> Link::failed(Error error) {
    m_failure = std::move(error);
    m_in.clear();
    m_out.clear();
    m_sent = 0;
    (void)::shutdown(m_socket.get(), SHUT_RDWR);
    return tl::unexpected(*m_failure);
}

Status Link::send(std::string_view message) {
    if (m_failure) return tl::unexpected(*m_failure);
    if (message.size() > k_message_max) return fail(Code::internal, "a message too large for a link");
    const std::size_t waiting = m_out.size() - m_sent;
    if (waiting + k_frame_head + message.size() + k_frame_tag > k_queue_max)
        return fail(Code::deadline, "the other node does not take what is sent to it",
                    "look whether its ckptd is at work");
    if (const auto sealed = m_sealer.seal(message, m_out); !sealed) return failed(sealed.error());
    return flush();
}

Status Link::flush() {
    if (m_failure) return tl::unexpected(*m_failure);
    while (wants_to_write()) {
        const ssize_t n = CKPT_FAULTED("link.send") ? -1
                                                    : ::send(m_socket.get(), m_out.data() + m_sent,
                                                             m_out.size() - m_sent, MSG_NOSIGNAL);
        if (n >= 0)
            m_sent += static_cast<std::size_t>(n);
        else if (would_block(errno))
            break;
        else if (errno != EINTR)
            return failed(broken("send to the other node"));
    }
    if (m_sent >= m_out.size() || m_sent > k_queue_max / 2) { // else it would be moved again and again
        m_out.erase(0, m_sent);
        m_sent = 0;
    }
    return {};
}

Result<std::vector<std::string>> Link::receive() {
    if (m_failure) return tl::unexpected(*m_failure);
    std::array<char, k_chunk> chunk; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
    std::size_t got = 0;
    std::optional<Error> end;
    while (!end && got < k_read_max) {
        const ssize_t n =
            CKPT_FAULTED("link.receive") ? -1 : ::recv(m_socket.get(), chunk.data(), chunk.size(), 0);
        if (n > 0) {
            m_in.append(chunk.data(), static_cast<std::size_t>(n));
            got += static_cast<std::size_t>(n);
        } else if (n == 0) {
            end = gone();
        } else if (would_block(errno)) {
            break;
        } else if (errno != EINTR) {
            end = broken("receive from the other node");
        }
    }
    auto messages = take_messages();
    if (!messages) return failed(messages.error());
    if (!end) return messages;
    auto failure = failed(*end);
    if (messages->empty()) return failure;
    return messages; // a socket that was shut down can be read: there is a next call
}

Result<std::vector<std::string>> Link::take_messages() {
    std::vector<std::string> messages;
    std::string_view rest = m_in;
    while (rest.size() >= k_frame_head) {
        const std::size_t size = rest_of_frame(rest);
        if (size < k_frame_tag || size > k_message_max + k_frame_tag)
            return fail(Code::wire_malformed, "a frame of the wrong size on the connection to another node");
        if (rest.size() < k_frame_head + size) break;
        CKPT_TRY(std::string message, m_opener.open(rest.substr(0, k_frame_head + size)));
        messages.push_back(std::move(message));
        rest.remove_prefix(k_frame_head + size);
    }
    m_in.erase(0, m_in.size() - rest.size());
    return messages;
}

} // namespace ckpt
