// SPDX-License-Identifier: GPL-2.0-or-later
// What ckpt-handshake has found out about the other side of a connection, and the link that comes of it. Its
// keys are wiped wherever they have been.
#pragma once

#include "crypto/secret.hpp"
#include "link/link.hpp"
#include "os/socket.hpp"
#include "result/result.hpp"
#include "wire/link_messages.hpp"

namespace ckpt {

struct LinkKeys {
    Secret send;
    Secret receive;
};

struct Greeting {
    wire::LinkHello hello; // LinkResult's
    LinkKeys keys;
};

// Of ckpt-handshake's answer, the bytes of which are wiped. There is none: its error, or the answer's;
// Code::wire_malformed when the answer's keys are none.
Result<Greeting> take_greeting(Result<Packet>& answer);

// As Link::open().
Result<Link> open_link(Fd socket, LinkKeys keys);

} // namespace ckpt
