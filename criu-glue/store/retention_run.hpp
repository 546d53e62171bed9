// SPDX-License-Identifier: GPL-2.0-or-later
// Carries out what decide_retention() has chosen.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "result/result.hpp"
#include "store/job_at.hpp"
#include "store/retention.hpp"

namespace ckpt::store {

// Told of each removal when it is done, or of what has kept it from being done.
using Report = std::function<Status(const Removal& removal, const StoredJob& job, const Status& done)>;

// Removes them one by one, in the steps of prune.cpp: a generation is renamed, then it is looked for somebody
// who has begun to use the job since look(); then it is put back, and the rest of that job stays
// (Code::not_permitted). What a job that is active leaves in its packs goes with its next commit. Fails only
// with what `report` fails with.
Status remove_all(const Store& store, const std::vector<StoredJob>& jobs,
                  const std::vector<Removal>& removals, const Report& report);

} // namespace ckpt::store
