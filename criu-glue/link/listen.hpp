// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

// Listens on all addresses, of IPv6 and IPv4, or of IPv4 alone where the node has no IPv6. Non-blocking;
// accept_tcp() takes what comes. Port 0 is any free one. A port that is taken: Code::os.
Result<Fd> listen_tcp(std::uint16_t port);

struct TcpCaller {
    Fd socket;
    std::string address; // "10.0.0.1" or "fd00::1"
    std::uint16_t port = 0;
};
// Who has connected, with the connection; errors as accept4(2).
Result<TcpCaller> accept_tcp(int listener);

} // namespace ckpt
