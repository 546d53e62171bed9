// SPDX-License-Identifier: GPL-2.0-or-later
// AF_UNIX SOCK_DGRAM sockets that are bound to a path: whole messages, descriptors in passing, and an address
// to answer to.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

constexpr std::size_t k_datagram_max = 4096;
constexpr std::size_t k_datagram_fds_max = 253; // SCM_MAX_FD of the kernel's include/net/scm.h

struct Datagram {
    std::string bytes;
    std::vector<Fd> fds;
    std::string from; // the sender's path; empty if it has none
    pid_t pid = 0;    // the sender, as the kernel says, in our pid namespace; 0 = not seen from here
    uid_t uid = 0;
};

// Removes what is at `path` and binds there, mode 0600. Non-blocking. Of a socket that is told its `senders`
// (Datagram::pid and uid) CRIU cannot save a queue (sk-queue.c: "Control messages in queue").
enum class Senders : bool { unknown, known };
Result<Fd> bind_datagram(const std::string& path, Senders senders);

// Code::not_found when nobody is bound to `path`; Code::busy when its queue is full.
Status send_datagram(int socket, const std::string& path, std::string_view bytes,
                     std::span<const int> fds = {});

// The next one. Code::deadline when there is none; Code::wire_malformed, which does not end the socket.
Result<Datagram> receive_datagram(int socket);

} // namespace ckpt
