// SPDX-License-Identifier: GPL-2.0-or-later
// A connection between the ckptd of two nodes: whole messages, in order, encrypted and authenticated with the
// keys that ckpt-handshake has agreed on. Nothing here blocks.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "link/frame.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

class Link {
public:
    static constexpr std::size_t k_message_max = std::size_t{1} << 20U;
    static constexpr std::size_t k_queue_max = std::size_t{8} << 20U; // bytes that the kernel has not taken

    // `socket`: a connected stream, made non-blocking here. If it is of TCP, a node at the other end that is
    // silent for about half a minute, not even its kernel answering, ends it. Keys are 32 bytes each; they
    // are copied, and wiped when the link goes.
    static Result<Link> open(Fd socket, std::string_view send_key, std::string_view receive_key);

    // Sends a message, or what of it the kernel takes now; the rest waits for flush(). More waiting than
    // k_queue_max: Code::deadline, and the message is not sent at all, but the link goes on. More than
    // k_message_max bytes: Code::internal. A link that has failed stays so; see receive().
    Status send(std::string_view message);
    [[nodiscard]] bool wants_to_write() const { return m_sent < m_out.size(); }
    // When fd() can be written to.
    Status flush();

    // All whole messages that are there, possibly none; to be called when fd() can be read. The link fails
    // for good with Code::not_found when the other side has gone, Code::not_permitted when what has come is
    // not what the other side has sent, Code::wire_malformed at a message too long, Code::os otherwise.
    // Messages that came whole before the other side went are returned first, the failure by the next call;
    // the descriptor can be read until then.
    Result<std::vector<std::string>> receive();

    [[nodiscard]] int fd() const { return m_socket.get(); }

private:
    Link(Fd socket, FrameSealer sealer, FrameOpener opener);
    tl::unexpected<Error> failed(Error error);
    Result<std::vector<std::string>> take_messages();

    Fd m_socket;
    FrameSealer m_sealer;
    FrameOpener m_opener;
    std::string m_in;  // what has come of a frame that is not whole yet
    std::string m_out; // frames, of which m_sent bytes are on their way
    std::size_t m_sent = 0;
    std::optional<Error> m_failure;
};

} // namespace ckpt
