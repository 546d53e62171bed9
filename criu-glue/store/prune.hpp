// SPDX-License-Identifier: GPL-2.0-or-later
// Removes generations nobody can want any more (docs/format.md, "Removal").
#pragma once

#include <cstdint>

#include "result/result.hpp"
#include "store/job_at.hpp"

namespace ckpt::store {

// Keeps the newest `keep` generations whose manifests verify, counted over every incarnation up to
// `incarnation`, which must have one of its own. What is newer than the last of those stays as well, what is
// fenced goes. Does nothing when a later incarnation has taken the job over; a generation it adopts meanwhile
// is put back. Nothing of what another job has claimed goes, nor what it claims meanwhile.
Status prune(const JobAt& job, std::uint32_t incarnation, std::uint32_t keep);

// Removes what removals and commits that failed have left, of incarnations up to `incarnation` and of this
// one too: for callers who know that nobody commits to it any more. Does nothing when a later one has taken
// the job over.
Status sweep_ended(const JobAt& job, std::uint32_t incarnation);

// Removes every generation up to `incarnation` that no other job has claimed, and what sweep_ended() does:
// for the same callers.
Status drop_all(const JobAt& job, std::uint32_t incarnation);

} // namespace ckpt::store
