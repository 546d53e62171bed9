// SPDX-License-Identifier: GPL-2.0-or-later
// Between ckptd and ckpt-handshake, which opens a connection to the ckptd of another node and proves to each
// side that root of a node of this cluster is at the other (criu-glue/handshake). ckptd then uses it with
// link/link.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "wire/codec.hpp"
#include "wire/worker.hpp"

namespace ckpt::wire {

// After its request's timeout_ms ckpt-handshake has so long to answer; then ckptd kills it.
constexpr std::chrono::seconds k_handshake_margin{2};

// LinkHello::uuid of a link that is about no single job (job_id 0): root of a node asks with AskFor
// (messages.hpp), one request at a time, each answered by an Answer.
constexpr const char* k_command_link = "command";

// What a link is about, and who says so. Believed once the handshake is done: root of a node has said it.
struct LinkHello {
    std::uint32_t job_id = 0;
    std::uint32_t incarnation = 0; // of the job; an earlier one may still be about on another node
    std::string uuid;              // likewise
    std::string node;              // Slurm name of the sender's
    bool operator==(const LinkHello&) const = default;
    template <class V>
    void fields(V& v) {
        v(job_id, incarnation, uuid, node);
    }
};

// Connects to the ckptd of another node. Without descriptors.
struct ConnectRequest {
    static constexpr std::uint16_t k_type = 76;
    std::string host; // name or address
    std::uint16_t port = 0;
    LinkHello hello; // of this side
    std::uint32_t timeout_ms = 0;
    template <class V>
    void fields(V& v) {
        v(host, port, hello, timeout_ms);
    }
};

// Hears whoever has connected to us. Descriptor: the accepted TCP socket.
struct AcceptRequest {
    static constexpr std::uint16_t k_type = 77;
    std::string node; // Slurm name of this one
    std::uint32_t timeout_ms = 0;
    template <class V>
    void fields(V& v) {
        v(node, timeout_ms);
    }
};

// Descriptor on success of a ConnectRequest: the TCP socket. The keys are for Link::open(), which copies
// them.
struct LinkResult {
    static constexpr std::uint16_t k_type = 78;
    Outcome outcome;
    std::string send_key;
    std::string receive_key;
    // Of the other side; after a ConnectRequest its node alone. Whoever has connected must compare that with
    // the node it meant: somebody on the way may have led the connection to another one of the cluster.
    LinkHello hello;
    template <class V>
    void fields(V& v) {
        v(outcome, send_key, receive_key, hello);
    }
};

} // namespace ckpt::wire
