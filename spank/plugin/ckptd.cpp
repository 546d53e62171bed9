// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckptd.hpp"

#include <algorithm>

#include "os/socket.hpp"

namespace ckpt {

Result<wire::Reply> ask_ckptd(const std::string& message, std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    const auto left = [end] {
        const auto rest = end - std::chrono::steady_clock::now();
        return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(rest),
                        std::chrono::milliseconds(0));
    };
    CKPT_TRY(const Fd socket, connect_to(wire::k_socket_path));
    CKPT_CHECK(send_packet(socket.get(), message, {}, left()));
    CKPT_TRY(const Packet packet, receive_packet(socket.get(), left()));
    CKPT_TRY(wire::Reply reply, wire::decode<wire::Reply>(packet.bytes));
    if (reply.code != 0) return fail(static_cast<Code>(reply.code), reply.text);
    return reply;
}

} // namespace ckpt
