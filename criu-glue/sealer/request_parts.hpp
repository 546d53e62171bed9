// SPDX-License-Identifier: GPL-2.0-or-later
// What requests have in common.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "result/result.hpp"
#include "store/names.hpp"
#include "wire/store_messages.hpp"

namespace ckpt {

constexpr std::size_t k_lines_max = 32; // of a list in a result

store::Owner owner_of(const wire::StorePlace& place);
// For a store that cannot be opened and has to be there.
Error missing(const Error& error, const wire::StorePlace& place);
// A result is one packet (os/socket.hpp:k_packet_max): its lists are kept well below.
std::vector<std::string> bounded(std::vector<std::string> lines);

} // namespace ckpt
