// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "result/result.hpp"
#include "store/dirs.hpp"
#include "store/key.hpp"

namespace ckpt::store {

struct InspectSpec {
    std::uint32_t job_id = 0; // 0 = every job
    std::uint32_t uid = 0;    // only this user's; 0 = everybody's
    bool details = false;     // with the parts
};

// Writes one line of JSON per generation to `out` (docs/format.md, "Inspection"), oldest first within a job.
// Only manifests are read and verified, not the images. What does not verify appears with "verified": false
// and belongs to whom the job's other generations belong; when none of them verifies, only uid 0 sees them.
Status inspect(const Base& base, const ClusterKey& key, const InspectSpec& spec, int out);

} // namespace ckpt::store
