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

// Told of each removal when it is done, or of what has kept it from being done; and of what an earlier one
// has left behind, if that cannot be removed.
using Report = std::function<Status(const Removal& removal, const StoredJob& job, const Status& done)>;

// Removes them one by one, in the steps of prune.cpp: a generation is renamed, then it is looked for somebody
// who has begun to use the job since look(); then it is put back, and the rest of that job stays
// (Code::not_permitted). What a job that is active leaves in its packs goes with its next commit. What cannot
// be removed keeps nobody else's from going. Fails with what `report` fails with, and when the volume has
// gone or does not answer: at which directory that was, `report` has been told last.
Status remove_all(const Store& store, const std::vector<StoredJob>& jobs,
                  const std::vector<Removal>& removals, const Report& report);

} // namespace ckpt::store
