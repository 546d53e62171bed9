// SPDX-License-Identifier: GPL-2.0-or-later
#include "ask.hpp"

namespace ckpt::cli {

namespace {

// The daemon's text is already a whole line with its code.
std::string without_code(const std::string& line) {
    return line.substr(0, line.rfind(" [CKPT-"));
}

} // namespace

Status status_of(const wire::Answer& answer) {
    if (answer.code == 0) return {};
    return fail(static_cast<Code>(answer.code), without_code(answer.text));
}

Result<Fd> connect_to_ckptd() {
    auto socket = connect_to(wire::k_socket_path);
    if (socket) return socket;
    return fail(Code::daemon_unreachable, "ckptd does not answer on this node",
                "start it (systemctl start ckptd.socket), or run sckpt on another node");
}

Error without_answer(const Error& error) {
    if (error.code != Code::not_found) return error;
    return {Code::busy, "ckptd has closed the connection",
            "it keeps 1,024 of a user's at most, or is being started anew: try again in a moment", 0};
}

Result<Packet> ask_for(const std::string& request, std::chrono::milliseconds limit) {
    CKPT_TRY(const Fd socket, connect_to_ckptd());
    const Status sent = send_packet(socket.get(), request);
    if (!sent) return tl::unexpected(without_answer(sent.error()));
    auto packet = receive_packet(socket.get(), limit);
    if (!packet) return tl::unexpected(without_answer(packet.error()));
    if (const auto answer = wire::decode<wire::Answer>(packet->bytes)) CKPT_CHECK(status_of(*answer));
    return packet;
}

Result<Asked> ask(const std::string& request, std::chrono::milliseconds limit) {
    CKPT_TRY(Packet packet, ask_for(request, limit));
    CKPT_TRY(const auto answer, wire::decode<wire::Answer>(packet.bytes));
    return Asked{answer, std::move(packet.fds)};
}

} // namespace ckpt::cli
