// SPDX-License-Identifier: GPL-2.0-or-later
// Whether images can be restored on a node: decided from what was recorded when they were taken.
#pragma once

#include <string>
#include <vector>

#include "compat/needs.hpp"

namespace ckpt::compat {

// What `node` lacks of it, in words for an admin: "avx512f, avx512bw of the CPU", "a file system of type
// lustre at /scratch", "kernel 6.18 or newer". Empty: it fits. What is not known on either side is not
// missed.
std::vector<std::string> missing_on(const Node& node, const Needs& needs);

// "4.2.1" is newer than "4.2": by numbers, as far as both have them. Of kernels only the first two count.
bool is_older(const std::string& version, const std::string& than, std::size_t numbers);

// "a; b; c"
std::string in_one_line(const std::vector<std::string>& missing);

} // namespace ckpt::compat
