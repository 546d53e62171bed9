// SPDX-License-Identifier: GPL-2.0-or-later
// A part that one node has sealed for a generation that another one commits: what the manifest is to say of
// it, in a sealed file beside its index until then (docs/format.md, "Commit").
#pragma once

#include <cstdint>
#include <vector>

#include "result/result.hpp"
#include "store/attempt.hpp"
#include "store/job_at.hpp"
#include "store/manifest.hpp"

namespace ckpt::store {

struct SealedPart {
    PartEntry entry;
    std::uint64_t stored_bytes = 0; // its index, and the pack that was written for it
};

// Into the temporary directory of the generation, which is there. What it names is durable before.
Status write_part(const JobAt& job, const Attempt& attempt, const SealedPart& part);

// The parts `wanted` of this attempt, by step and task. Code::store_corrupt when one is missing or is not of
// this attempt, or when there is one more. With what was interrupted, the files go: they are no part of a
// generation.
Result<std::vector<SealedPart>> take_parts(const JobAt& job, const Attempt& attempt,
                                           std::vector<StepPart> wanted);

} // namespace ckpt::store
