// SPDX-License-Identifier: GPL-2.0-or-later
// When the end of a job could not be put on record: pure.
#pragma once

#include <chrono>
#include <optional>

#include "result/result.hpp"

namespace ckpt {

struct RecordAgain {
    std::optional<std::chrono::seconds> in; // nothing: never, it is of no use any more
    bool holds_up = false;                  // the shims, and with them the job's end, wait for it
};

// After the attempt number `tries` (from 1) failed with `error`, `age` after the first one began. The job's
// end waits half a minute at most; then it is tried less and less often for a week, since until it is on
// record another start of the job would go on from its last checkpoint. A later incarnation that has taken
// over (Code::not_permitted) ends it.
RecordAgain record_again(const Error& error, unsigned tries, std::chrono::seconds age);

} // namespace ckpt
