// SPDX-License-Identifier: GPL-2.0-or-later
// CLOCK_MONOTONIC and CLOCK_BOOTTIME of a restored tree go on from where they were: another node has another
// uptime, and a program that waits until a monotonic time would wait for days. CRIU does this itself only as
// root (timens.c:prepare_timens), so we make the time namespace.
#pragma once

#include <sys/types.h>

#include "engine/record.hpp"
#include "os/creds.hpp"

namespace ckpt {

// The clocks as process `pid` sees them.
Result<ClockReadings> clocks_of(pid_t pid);

// Moves this single-threaded process into a new time namespace in which the clocks read `wanted`. For forked
// children.
Status enter_clocks(Root root, const ClockReadings& wanted);

// The text of a timens_offsets file (proc(5)) as a pair of offsets; a missing line is 0.
ClockReadings parse_offsets(std::string_view text);

} // namespace ckpt
