// SPDX-License-Identifier: GPL-2.0-or-later
// The RPCs. Each may take as long as libslurm tries; main() sets the deadline.
#pragma once

#include <cstdint>
#include <string>

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

} // namespace ckpt
