// SPDX-License-Identifier: GPL-2.0-or-later
// The real ckpt-sealer and ckpt-writer, as ckptd starts them, and what they have used.
#pragma once

#include <string>
#include <vector>

#include "result/result.hpp"

namespace ckpt::bench {

struct Used {
    double seconds = 0;     // by the clock
    double cpu_seconds = 0; // of both
    long sealer_kib = 0;    // most resident memory
    long writer_kib = 0;
    std::string answer; // encoded
};

// Runs one request on the store `base` of `uid`, whose key is in `key`; `own`: the request's descriptors.
Result<Used> ask(const std::string& base, const std::string& key, unsigned uid, const std::string& request,
                 const std::vector<int>& own);

constexpr unsigned k_service = 65533; // as whom the sealer runs

} // namespace ckpt::bench
