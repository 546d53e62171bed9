// SPDX-License-Identifier: GPL-2.0-or-later
// Going on from another job of the same user (--checkpoint-restore=JOBID).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "result/result.hpp"
#include "store/job_at.hpp"
#include "store/records.hpp"
#include "store/retention.hpp"
#include "store/scan.hpp"

namespace ckpt::store {

// The newest generation of job `job_id`, or the one numbered `generation` if that is not 0. Where a number
// was used for several jobs (Slurm reuses them), the newest job counts. Code::restore_source names what
// there is none of. `who`: whose volume it is, and of which cluster.
Result<Adopted> choose_other_job(const Store& store, const Owner& who, std::uint32_t job_id,
                                 std::uint32_t generation);

// Who wants to go on from another job, and what of it was named.
struct GoingOn {
    std::uint32_t from_job = 0;
    std::uint32_t by_job = 0;
    std::uint32_t generation = 0; // 0: the newest
};
// Whether `going` may start from the job in `state` now: both that job and any other that has claimed it have
// to have ended, else two would write to the same files. Naming a generation says that a second one is meant:
// then only the job itself counts. Code::restore_source says who is in the way.
Status may_go_on(const GoingOn& going, const JobState& state, const ActiveJobs& unfinished);

// Those an incarnation of the job itself could go on from, none newer than `newest`; newest first.
Result<std::vector<GenerationId>> generations_up_to(const JobAt& job, GenerationId newest);

// Whose generations are in the directory `cluster`/`name`, as the first manifest says that may be true of it.
// Only of `uid`, if one is given: what another user's manifest says has no place there.
std::optional<Owner> claimed_owner(Volume& volume, const std::string& cluster, const std::string& name,
                                   std::optional<std::uint32_t> uid = {});

// Every job of the number `job_id` that has generations (0: of any number), as their manifests claim it.
Result<std::vector<Owner>> owners_of(Volume& volume, const std::string& cluster, std::uint32_t job_id);

} // namespace ckpt::store
