// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "result/result.hpp"

namespace ckpt::cli {

struct PruneOptions {
    std::string user; // root: only this user's
    std::string dir;  // in place of policy's storage.base
    bool dry_run = false;
    bool json = false;
};

// Removes what the policy does not keep, and prints a row (or a JSON object) for each generation.
Status prune(const PruneOptions& options);

} // namespace ckpt::cli
