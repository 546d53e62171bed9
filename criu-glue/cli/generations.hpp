// SPDX-License-Identifier: GPL-2.0-or-later
// What the store holds, as `sckpt list` and `sckpt show` present it.
#pragma once

#include <cstdint>
#include <string>

#include "result/result.hpp"

namespace ckpt::cli {

struct ListOptions {
    std::uint32_t job_id = 0; // 0 = all of the caller's
    std::string user;         // root: only this user's; others see their own anyway
    bool verify = false;      // read every image back
    bool json = false;
    bool header = true;
};

// One row (or one JSON object per line) per generation.
Status list(const ListOptions& options);

// Everything about one job's generations; Code::not_found when there is none.
Status show(const ListOptions& options);

} // namespace ckpt::cli
