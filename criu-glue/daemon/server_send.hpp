// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "server.hpp"

namespace ckpt {

// Never waits: a peer that does not read its messages is dropped.
template <typename M>
void Server::send(ConnectionId id, const M& message, std::span<const int> fds) {
    const auto found = m_connections.find(id);
    if (found == m_connections.end()) return;
    const Status sent =
        send_packet(found->second.socket.get(), wire::encode(message), fds, std::chrono::milliseconds(0));
    // dropped from the loop, not from here: callers may still hold references
    if (!sent) m_loop.after(std::chrono::milliseconds(0), [this, id] { drop_connection(id); });
}

} // namespace ckpt
