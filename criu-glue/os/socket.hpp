// SPDX-License-Identifier: GPL-2.0-or-later
// AF_UNIX SOCK_SEQPACKET: whole messages, descriptors in passing, and the peer's kernel-checked identity.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

struct Packet {
    std::string bytes;
    std::vector<Fd> fds;
};

// Who connected (SO_PEERCRED, SO_PEERPIDFD since Linux 6.5; the pidfd is opened by pid and compared on older
// ones).
struct Peer {
    pid_t pid = 0;
    uid_t uid = 0;
    gid_t gid = 0;
    Fd pidfd;
};

constexpr std::size_t k_packet_max = 64 * 1024;
constexpr std::size_t k_packet_fds_max = 253; // SCM_MAX_FD of the kernel's include/net/scm.h

Result<std::pair<Fd, Fd>> make_socket_pair();
// Listens at `path`, replacing a stale socket; `mode` are its permission bits.
Result<Fd> listen_at(const std::string& path, mode_t mode);
Result<Fd> accept_from(int listener);

// From now on nobody can send descriptors to `socket`, nor to what it accepts: closing one of them may block
// for as long as its sender likes (SO_LINGER, a FUSE file). Linux 6.16; does nothing before.
void refuse_descriptors(int socket);
// Code::daemon_unreachable when nobody listens.
Result<Fd> connect_to(const std::string& path);
Result<Peer> peer_of(int socket);

// Sends one message. Never blocks longer than `limit` (Code::deadline) and never raises SIGPIPE.
Status send_packet(int socket, std::string_view bytes, std::span<const int> fds = {},
                   std::chrono::milliseconds limit = std::chrono::seconds(1));
// Receives one message within `limit`; a closed connection is Code::not_found, a truncated message
// Code::wire_malformed. Descriptors arrive close-on-exec.
Result<Packet> receive_packet(int socket, std::chrono::milliseconds limit);

} // namespace ckpt
