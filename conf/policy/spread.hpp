// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "policy/values.hpp"

namespace ckpt {

// A job's own place within `spread`, 0 to `spread`: always the same for one job, evenly spread over many,
// neighbours in an array included. Nothing is asked or agreed for it.
Seconds place_in(Seconds spread, std::uint32_t job_id);

} // namespace ckpt
