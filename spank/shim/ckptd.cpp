// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckptd.hpp"

#include <chrono>

namespace ckpt {

Result<Ckptd> Ckptd::greet(const wire::TaskHello& hello, const std::string& path) {
    CKPT_TRY(Fd socket, connect_to(path));
    CKPT_CHECK(send_packet(socket.get(), wire::encode(hello)));
    return Ckptd(std::move(socket));
}

void Ckptd::send_bytes(const std::string& bytes) {
    if (m_socket && !send_packet(m_socket.get(), bytes)) close();
}

Result<FromCkptd> Ckptd::receive(int limit_ms) {
    CKPT_TRY(Packet packet, receive_packet(m_socket.get(), std::chrono::milliseconds(limit_ms)));
    CKPT_TRY(const std::uint16_t type, wire::type_of(packet.bytes));
    if (type == wire::ShimOrder::k_type) return wire::decode<wire::ShimOrder>(packet.bytes);
    if (type == wire::Answer::k_type) return wire::decode<wire::Answer>(packet.bytes);
    if (type == wire::StepCleared::k_type) return wire::decode<wire::StepCleared>(packet.bytes);
    if (type == wire::Settle::k_type) return wire::decode<wire::Settle>(packet.bytes);
    if (type == wire::AppPlace::k_type) return wire::decode<wire::AppPlace>(packet.bytes);
    if (type == wire::AskApp::k_type) return wire::decode<wire::AskApp>(packet.bytes);
    CKPT_TRY(wire::ShimStart start, wire::decode<wire::ShimStart>(packet.bytes));
    if (start.start == wire::Start::restored && packet.fds.empty())
        return fail(Code::wire_malformed, "ckptd restored the job but did not say where");
    Started started{std::move(start), {}, {}, {}};
    if (!packet.fds.empty()) started.root = std::move(packet.fds[0]);
    if (packet.fds.size() > 1) started.state = std::move(packet.fds[1]);
    return started;
}

} // namespace ckpt
