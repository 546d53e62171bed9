// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "result/result.hpp"
#include "store/images.hpp"
#include "store/job_at.hpp"

namespace ckpt::store {

std::optional<PackName> pack_of(std::string_view file_name);

// Removes the packs of incarnations up to `incarnation` that no generation of the job refers to: left behind
// by commits that failed, or by generations that were removed. For callers who know that nobody commits to
// these incarnations at the same time. Does nothing when a later incarnation has taken the job over.
Status sweep_packs(const JobAt& job, std::uint32_t incarnation);

} // namespace ckpt::store
