// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "policy/values.hpp"
#include "result/result.hpp"

namespace ckpt {

// What a dump will need at the least, as far as known.
struct DumpNeed {
    std::uint64_t bytes = 0;
    double bytes_per_s = 0; // measured; 0 = not yet
};

// What there is for it.
struct DumpRoom {
    Seconds time{0};
    std::uint64_t space = 0; // bytes
};

// Whether a dump is worth trying, or would only keep the job from its own last words; Code::dump_unfit says
// what is short. What is not known does not stand against it: a dump that was wrongly left out is lost work.
Status dump_fits(const DumpNeed& need, const DumpRoom& room);

} // namespace ckpt
