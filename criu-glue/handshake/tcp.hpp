// SPDX-License-Identifier: GPL-2.0-or-later
// A TCP connection that has to be done by a certain time, however slowly the other side drips.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

using Moment = std::chrono::steady_clock::time_point;

// Tries all addresses of the host, each with its share of the time, from a port below 1024: that takes
// CAP_NET_BIND_SERVICE, until `bound` is called, before anything is sent to anybody but the name service.
// Looking up the name may block for longer. Code::daemon_unreachable when there is no address, no port is
// free, or nobody listens; or the error of `bound`.
Result<Fd> connect_tcp(const std::string& host, std::uint16_t port, Moment end,
                       const std::function<Status()>& bound);

// Bytes over a connected stream, which stays the caller's. Every call: Code::deadline after `end`,
// Code::not_found when the other side has gone. Nothing is read beyond what is asked for: what comes then is
// for somebody else.
class TimedStream {
public:
    TimedStream(int socket, Moment end) : m_socket(socket), m_end(end) {}
    [[nodiscard]] Status send(std::string_view bytes) const;
    [[nodiscard]] Result<std::string> receive(std::size_t size) const;
    // A 32-bit length, little endian, and so many bytes; more than `max`: Code::wire_malformed.
    [[nodiscard]] Status send_frame(std::string_view bytes) const;
    [[nodiscard]] Result<std::string> receive_frame(std::size_t max) const;

private:
    int m_socket;
    Moment m_end;
};

} // namespace ckpt
