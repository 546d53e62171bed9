// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <string_view>

#include "result/result.hpp"

namespace ckpt {

// Writes everything into a pipe that somebody else reads, and to which nobody else writes: Code::deadline
// once they have taken nothing for `patience`. Of a file it is write_all().
Status write_to_reader(int fd, std::string_view data, std::chrono::milliseconds patience);

} // namespace ckpt
