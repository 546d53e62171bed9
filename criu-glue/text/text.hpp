// SPDX-License-Identifier: GPL-2.0-or-later
// Sizes and times as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace ckpt::text {

std::string bytes(std::uint64_t value);          // "410 MiB", "1.9 GiB"
std::string duration_us(std::uint64_t value_us); // "0.7 s", "12 ms"
std::string age(std::int64_t seconds);           // "40 s", "12 min", "3 h"

// "2026-11-26T01:02:03", as Slurm prints times, in the zone of the process.
std::string local_time(std::int64_t unix_seconds);

} // namespace ckpt::text
