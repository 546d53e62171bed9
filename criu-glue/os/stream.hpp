// SPDX-License-Identifier: GPL-2.0-or-later
// Frames over a stream socket: a 32-bit length, little endian, then so many bytes. For bulk between two of
// our processes, where a packet would be too small (os/socket.hpp).
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

Result<std::pair<Fd, Fd>> make_stream_pair();

// From here on send_frame() and receive_frame() fail with Code::deadline when not a single byte has gone, or
// come, for so long.
Status set_patience(int socket, std::chrono::milliseconds silence);

// Blocks until all of it is on its way; never raises SIGPIPE. A peer that has gone is Code::not_found.
Status send_frame(int socket, std::string_view bytes);

// Blocks. The end of the stream is Code::not_found, a frame of more than `max` bytes Code::wire_malformed.
Result<std::string> receive_frame(int socket, std::size_t max);

} // namespace ckpt
