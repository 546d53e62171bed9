// SPDX-License-Identifier: GPL-2.0-or-later
// Sockets that were bound to an address of the node that the job has left: MPI programs listen there and
// connect to themselves. CRIU binds them to the same address, or gives up (sk-inet.c:inet_bind,
// soccr.c:libsoccr_set_sk_data_noq). In the images they get an address of this node instead
// (docs/experiments/mpi-on-one-node.md).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "result/result.hpp"

namespace ckpt {

// As in the images: bytes in network order. An IPv4 address is the first word; the others are 0.
struct Address {
    bool v6 = false;
    std::array<std::uint32_t, 4> words{};
    auto operator<=>(const Address&) const = default;
};

// What takes the place of an address that the node does not have; nothing when it has it, or when it can
// stay.
using NewAddress = std::function<std::optional<Address>(const Address&)>;

// `image` (files.img) with all IP sockets moved that are bound to an address for which there is a new one.
// Both ends of a connection inside the job move alike. `new_address` never sees an IPv4 address in IPv6 form.
Result<std::string> move_addresses(std::string_view image, const NewAddress& new_address);

// Which address that is on this node: nothing when a socket can be bound to `old`, or when CRIU binds it all
// the same (link-local IPv6). Else the one from which this node talks to `old`; the loopback address if it
// cannot.
std::optional<Address> address_here(const Address& old);

// Does both for the file in an image directory.
Status move_addresses_here(int images);

} // namespace ckpt
