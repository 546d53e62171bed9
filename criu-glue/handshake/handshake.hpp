// SPDX-License-Identifier: GPL-2.0-or-later
// How two ckptd prove to each other over TCP that they are root of nodes of one cluster, and agree on keys:
//
//   client: magic, version, C1 = munge({offer label, K1, hello})
//   server:                 C2 = munge({answer label, K2, SHA-256 of C1, node})
//   client: a value that only who knows K1 and K2 can compute
//
// with K1 and K2 of 32 random bytes each. The keys of the link, one for each direction, are derived from
// both.
//
// What MUNGE stands for: munged of either side says that root has made the credential, recently; it is
// encrypted, and munged gives what is in it to root alone. So whoever listens on the way learns neither K1
// nor K2. Who sends a captured C1 to another server (munged there has not seen it yet) gets a C2 that he
// cannot read, does not know K1 either, and so fails at the third message. A captured C2 fits no other C1.
// What remains to somebody on the way is to lead a connection to another node of the cluster: its C2 names
// it.
#pragma once

#include <cstddef>
#include <string>

#include "crypto/secret.hpp"
#include "handshake/munge.hpp"
#include "handshake/tcp.hpp"
#include "wire/link_messages.hpp"

namespace ckpt {

constexpr std::size_t k_handshake_frame_max = 8192;

struct LinkAgreed {
    Secret send_key;
    Secret receive_key;
    wire::LinkHello hello; // of the other side; the client learns its node only
};

// Either side. Code::wire_malformed when the other one does not speak this protocol, Code::munge and
// Code::not_permitted as payload_of(), Code::not_found and Code::deadline as TimedStream.
Result<LinkAgreed> greet(Munge& munge, const TimedStream& stream, const wire::LinkHello& own);
Result<LinkAgreed> answer_greeting(Munge& munge, const TimedStream& stream, const std::string& own_node);

} // namespace ckpt
