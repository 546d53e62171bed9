// SPDX-License-Identifier: GPL-2.0-or-later
#include "command_link.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "ask.hpp"
#include "link/greeting.hpp"
#include "os/process.hpp"
#include "wire/link_messages.hpp"
#include "wire/worker.hpp"

namespace ckpt::cli {

namespace {

constexpr std::chrono::milliseconds k_connect_limit{8'000};

std::string host_name() {
    std::array<char, 256> name{};
    ::gethostname(name.data(), name.size() - 1);
    return name.data();
}

// ckpt-handshake's answer.
Result<Packet> shake_hands(const wire::ConnectRequest& request) {
    CKPT_TRY(auto sockets, make_socket_pair());
    SpawnSpec spec;
    spec.path = std::string(CKPT_LIBEXEC_DIR) + "/ckpt-handshake";
    spec.argv = {spec.path};
    spec.fds = {{sockets.second.get(), wire::k_worker_fd}};
    CKPT_TRY(const Child child, spawn(spec));
    sockets.second.reset();
    CKPT_CHECK(send_packet(sockets.first.get(), wire::encode(request)));
    return receive_packet(sockets.first.get(), k_connect_limit + wire::k_handshake_margin);
}

} // namespace

Result<CommandLink> CommandLink::open(const std::string& node, const std::string& address,
                                      std::uint16_t port) {
    auto answer = shake_hands({address,
                               port,
                               {0, 0, wire::k_command_link, host_name()},
                               static_cast<std::uint32_t>(k_connect_limit.count())});
    CKPT_TRY(Greeting greeting, take_greeting(answer));
    if (answer->fds.size() != 1 || greeting.hello.node != node)
        return fail(Code::not_permitted, "another node answers than " + node);
    CKPT_TRY(Link link, open_link(std::move(answer->fds[0]), std::move(greeting.keys)));
    return CommandLink(std::move(link));
}

Result<wire::Answer> CommandLink::ask(const wire::AskFor& request, std::chrono::milliseconds limit) {
    CKPT_CHECK(m_link.send(wire::encode(request)));
    const auto end = std::chrono::steady_clock::now() + limit;
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (left.count() <= 0) return fail(Code::deadline, "ckptd does not answer in time");
        const bool writes = m_link.wants_to_write();
        pollfd ready{m_link.fd(), static_cast<short>(writes ? POLLIN | POLLOUT : POLLIN), 0};
        if (::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000))) <= 0) continue;
        if (writes) CKPT_CHECK(m_link.flush());
        if ((ready.revents & ~POLLOUT) == 0) continue;
        CKPT_TRY(const auto messages, m_link.receive());
        if (messages.empty()) continue;
        CKPT_TRY(const auto answer, wire::decode<wire::Answer>(messages.front()));
        CKPT_CHECK(status_of(answer));
        return answer;
    }
}

} // namespace ckpt::cli
