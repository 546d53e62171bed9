// SPDX-License-Identifier: GPL-2.0-or-later
// What the store holds, as `sckpt list`, `sckpt show` and `sckpt verify` present it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fetch.hpp"
#include "result/result.hpp"

namespace ckpt::cli {

struct ListOptions {
    std::uint32_t job_id = 0; // 0 = all
    std::string user;         // root: only this user's; others see their own only
    std::string cluster;      // only of this one; "" = all
    std::string format;       // columns of list(), "JOBID,GEN"; "" = all
    std::string dir;          // where jobs with --checkpoint-dir have theirs; "" = policy's storage.base
    bool verify = false;      // read every image back
    bool json = false;
    bool header = true;
};

// One row (or one JSON object per line) per generation. Code::option_value for a column that there is not,
// Code::store_corrupt when something that should be a
// directory of generations cannot be read.
Status list(const ListOptions& options);

// Everything about one job's generations; Code::not_found when there is none.
Status show(const ListOptions& options);

// The life of a job as text, as JSON lines of its generations and its history, or as a page in the file
// `html` ("-": standard output).
Status report(const ListOptions& options, const std::string& html);

// Reads every byte of them back and says of each what came of it; Code::store_corrupt when one is bad,
// Code::not_found when a job is named that has none.
Status verify(const ListOptions& options);

// What verify() concludes from its listing.
Status verdict_on_all(const std::vector<Json>& found);

} // namespace ckpt::cli
