// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracer/serve.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "os/fd.hpp"
#include "os/process.hpp"
#include "tracer/bring_home.hpp"
#include "tracer/calls.hpp"

namespace ckpt::tracing {

namespace {

constexpr int k_hold_ms = 10000; // for the owner to do what has to be done while everything stands

void wait_readable(int fd, int limit_ms) {
    pollfd one{fd, POLLIN, 0};
    while (::poll(&one, 1, limit_ms) < 0 && errno == EINTR) {
    }
}

class Server {
public:
    explicit Server(int connection) : m_connection(connection) {
        sigset_t child;
        ::sigemptyset(&child);
        ::sigaddset(&child, SIGCHLD);
        ::sigprocmask(SIG_BLOCK, &child, nullptr);
        m_stops = Fd(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    }

    // Until criu has ended.
    Threads run() {
        while (receive()) {
            reply(criu_lives() ? answer() : Answer{-1, ESRCH, 0, 0, 0});
        }
        return std::move(m_threads);
    }

private:
    Answer answer() {
        switch (m_call.kind) {
        case Kind::wait:
            return wait();
        case Kind::keep:
            keep_open(m_threads, std::move(m_sent));
            return {};
        default:
            return carry_out(m_call, m_addr, m_data, m_threads);
        }
    }

    bool criu_lives() {
        if (m_criu) return pidfd_alive(m_criu.get());
        auto pidfd = open_pidfd(m_call.self); // before it traces anything
        if (!pidfd) return false;
        m_criu = std::move(*pidfd);
        return true;
    }

    bool receive() {
        for (bool called = false; !called;) {
            called = readable(m_connection);
            if (!attend_daemons(m_threads)) end_criu();
            if (!criu_is_there()) return false; // something that it forked may still hold the connection
        }
        return receive_packet();
    }

    bool receive_packet() {
        m_packet.resize(sizeof(Call) + k_bytes_max);
        iovec part{m_packet.data(), m_packet.size()};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        ssize_t n = 0;
        while ((n = ::recvmsg(m_connection, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
        }
        m_sent = Fd();
        if (const cmsghdr* header = CMSG_FIRSTHDR(&message);
            header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
            m_sent = Fd(fd);
        }
        return n >= static_cast<ssize_t>(sizeof m_call) && take_apart(static_cast<std::size_t>(n));
    }

    bool take_apart(std::size_t size) {
        std::memcpy(&m_call, m_packet.data(), sizeof m_call);
        const std::size_t rest = size - sizeof m_call;
        if (m_call.addr_size > rest || m_call.data_size != rest - m_call.addr_size) return false;
        m_addr.assign(m_packet, sizeof m_call, m_call.addr_size);
        m_data.assign(m_packet, sizeof m_call + m_call.addr_size, m_call.data_size);
        return true;
    }

    void reply(Answer answer) {
        std::array<iovec, 3> parts{
            {{&answer, sizeof answer}, {m_addr.data(), m_addr.size()}, {m_data.data(), m_data.size()}}};
        msghdr message{};
        message.msg_iov = parts.data();
        message.msg_iovlen = parts.size();
        while (::sendmsg(m_connection, &message, MSG_NOSIGNAL) < 0 && errno == EINTR) {
        }
    }

    Answer wait() {
        for (;;) {
            int status = 0;
            const pid_t pid = take_stop(m_threads, m_call.pid, static_cast<int>(m_call.request), status);
            if (pid < 0) return Answer{-1, errno, errno == ECHILD ? 1U : 0U, 0, 0};
            if (pid > 0) return Answer{pid, 0, 0, status, 0};
            if (!criu_is_there()) return Answer{-1, ESRCH, 0, 0, 0};
            (void)readable(-1);
        }
    }

    void end_criu() const {
        if (m_criu) (void)signal_pidfd(m_criu.get(), SIGKILL);
    }

    [[nodiscard]] bool criu_is_there() const { return !m_criu || pidfd_alive(m_criu.get()); }

    // Waits until `fd` has something to read (true), or a thread has stopped or criu has ended.
    bool readable(int fd) {
        std::array<pollfd, 3> poll_for{
            {{fd, POLLIN, 0}, {m_stops.get(), POLLIN, 0}, {m_criu.get(), POLLIN, 0}}};
        while (::poll(poll_for.data(), poll_for.size(), -1) < 0 && errno == EINTR) {
        }
        signalfd_siginfo signal{};
        while (::read(m_stops.get(), &signal, sizeof signal) > 0) {
        }
        return poll_for[0].revents != 0;
    }

    int m_connection;
    Fd m_criu;
    Fd m_stops;
    Fd m_sent; // with the last call
    Threads m_threads;
    Call m_call{};
    std::string m_packet;
    std::string m_addr;
    std::string m_data;
};

} // namespace

void serve(int connection, int control) {
    Threads left = Server(connection).run();
    if (left.empty()) return;
    bring_home(left);
    const char held = 1;
    if (::send(control, &held, sizeof held, MSG_NOSIGNAL) == sizeof held) wait_readable(control, k_hold_ms);
    let_go(left);
}

} // namespace ckpt::tracing
