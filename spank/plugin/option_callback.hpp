// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "given_options.hpp"
#include "spank_api.hpp"

namespace ckpt {

// Registers every option with Slurm. Slurm must be in init (src/common/spank.c:spank_option_register).
void register_options(spank_t spank);

// What the callbacks have told in this process.
GivenOptions& given_options();

// Ends a submitting command with one line. Returns only in programs that we do not know; the caller then
// reports failure to Slurm, which adds a line of its own.
void refuse(const std::string& line);

} // namespace ckpt
