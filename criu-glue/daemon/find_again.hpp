// SPDX-License-Identifier: GPL-2.0-or-later
// A task that was started under an earlier daemon.
#pragma once

#include "job.hpp"
#include "job_files.hpp"

namespace ckpt {

// The task as it was, without its namespaces; Code::not_found when it has ended.
Result<Task> find_task(const TaskOnFile& file);
// Code::not_found when they cannot be told from others.
Status find_namespaces(Task& task, const TaskOnFile& file);
// A tree that the daemon before us had restored, and of which it could not tell the shim any more.
void kill_untold_tree(const Job& job, const Task& task);

} // namespace ckpt
