// SPDX-License-Identifier: GPL-2.0-or-later
// The RPCs. Each may take as long as libslurm tries; main() sets the deadline.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cause.hpp"
#include "result/result.hpp"

namespace ckpt {

Result<JobRecord> load_job(std::uint32_t job_id);

// The element with the index `task` of the array `array_id`.
Result<JobRecord> load_element(std::uint32_t array_id, std::uint32_t task);

// The node on which the job's batch script runs, and the address at which other nodes find it.
struct BatchHost {
    std::string node;
    std::string address;
};
Result<BatchHost> batch_host(std::uint32_t job_id);

// Requeues a job that runs, or that hit its time limit or lost its node a moment ago; never one that was
// cancelled or has ended. Confirms that slurmctld did so, as it reports success for jobs that it left alone
// (slurm src/slurmctld/job_mgr.c:_job_requeue_op).
Status requeue_job(std::uint32_t job_id, bool hold);

// Cancels a job, and confirms that slurmctld did so.
Status cancel_job(std::uint32_t job_id);

// Where `scontrol show job` displays it: AdminComment for root, so that the user's own Comment stays as it
// is.
Status explain_job(std::uint32_t job_id, const std::string& reason);

// A pending job does not start on `node`.
Status exclude_node(std::uint32_t job_id, const std::string& node);

// A pending job starts only on nodes that have those features of `listed` that `node` has, where its own
// constraint can be told to say so (constraint.hpp): what has become of that in a line, empty where nothing
// was to do.
Result<std::string> constrain_job(std::uint32_t job_id, const std::string& node,
                                  const std::vector<std::string>& listed);

// Requeues the job, which does not start on `node` again, and explains it with `reason`. Where it asks for
// that node, or no other is left to it, it is requeued held. Slurm excludes nodes of pending jobs only;
// between the requeue and that the job cannot start, since it is still COMPLETING until its last epilog has
// ended (slurm src/slurmctld/job_scheduler.c:_job_runnable_test1), and the caller's is waiting.
Status requeue_elsewhere(std::uint32_t job_id, const std::string& node, const std::string& reason);

} // namespace ckpt
