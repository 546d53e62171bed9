// SPDX-License-Identifier: GPL-2.0-or-later
// The shim's side of its one connection to ckptd. Every failure ends the connection, none ends the shim.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "os/fd.hpp"
#include "os/socket.hpp"
#include "result/result.hpp"
#include "wire/app_messages.hpp"
#include "wire/messages.hpp"

namespace ckpt {

struct Started { // ShimStart with the pidfd of a restored tree
    wire::ShimStart start;
    Fd root;
    Fd state; // what the shim before had kept; none if it kept nothing
    // Of the script of a job whose program saves itself.
    // NOLINTNEXTLINE(readability-redundant-member-init): GCC warns of aggregates without it
    std::optional<wire::AppPlace> place{};
};
using FromCkptd = std::variant<Started, wire::StepCleared, wire::ShimOrder, wire::Answer, wire::Settle,
                               wire::AppPlace, wire::AskApp>;

class Ckptd {
public:
    Ckptd() = default; // not connected
    explicit Ckptd(Fd socket) : m_socket(std::move(socket)) {}
    // Connects and introduces this task.
    static Result<Ckptd> greet(const wire::TaskHello& hello, const std::string& path = wire::k_socket_path);

    explicit operator bool() const { return static_cast<bool>(m_socket); }
    [[nodiscard]] int descriptor() const { return m_socket.get(); }
    template <typename M>
    void send(const M& message) {
        send_bytes(wire::encode(message));
    }
    // The next message; waits at most `limit_ms`. Code::not_found when the connection has ended,
    // Code::deadline.
    Result<FromCkptd> receive(int limit_ms);
    void close() { m_socket.reset(); }

private:
    void send_bytes(const std::string& bytes);
    Fd m_socket;
};

} // namespace ckpt
