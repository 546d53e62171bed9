// SPDX-License-Identifier: GPL-2.0-or-later
// A periodic timerfd that had expired when it was dumped shows no time until its next expiry: the kernel
// starts the next period only when the descriptor is read. CRIU takes that for a timer that is off, and the
// program waits for ever (criu issue 3162). A nanosecond as the time left makes it expire at once, which is
// what it has done.
#pragma once

#include <string>
#include <string_view>

#include "result/result.hpp"

namespace ckpt {

// `image` (files.img) with such timers set right; unchanged when there are none.
Result<std::string> repair_timers(std::string_view image);

// The same for the file in an image directory.
Status repair_timers_in(int images);

} // namespace ckpt
