// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "os/fd.hpp"

namespace ckpt {

// Carries out one encoded request of wire/store_messages.hpp with the descriptors that came with it and
// returns the encoded result, whatever happens. A request that is none of the sealer's yields "".
std::string serve(const std::string& bytes, std::vector<Fd>& fds);

} // namespace ckpt
