// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "result/result.hpp"
#include "store/job_at.hpp"
#include "store/retention.hpp"

namespace ckpt::store {

// Every job of the volume, which is the user `uid`'s: what is sealed for another one counts as damaged. What
// cannot be read is passed over: of that nothing is removed.
Result<std::vector<StoredJob>> look(const Store& store, std::uint32_t uid);

// The job as its directory shows it, be it not there under that name; its owner counts as known.
Result<JobAt> job_at(const Store& store, const StoredJob& job);

// Who uses the job at this moment.
Result<Users> users_of(const JobAt& job);

} // namespace ckpt::store
