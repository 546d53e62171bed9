// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace ckpt {

// libslurm logs to stderr as it pleases, and ends the process when it finds no configuration. From here on
// its words go into memory; ours is the one line on stderr.
void quiet_libslurm();

// Prints one line and ends with status 1.
[[noreturn]] void refuse(const std::string& line);

// The process ends through refuse() after so many seconds.
void set_deadline(unsigned seconds);

} // namespace ckpt
