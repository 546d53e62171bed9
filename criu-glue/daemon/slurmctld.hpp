// SPDX-License-Identifier: GPL-2.0-or-later
// Questions to slurmctld through the one-shot helper ckpt-slurmctld: libslurm never enters this process.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "state.hpp"
#include "wire/store_messages.hpp"
#include "worker.hpp"

namespace ckpt {

// What slurmctld says of a job.
struct JobNews {
    Cause cause = Cause::unknown; // why it is ending
    std::int64_t end_time = 0;    // Unix seconds of its time limit; 0 = unknown
    bool answered = false;
    bool suspended = false;
    bool can_requeue = false;
    // It was preempted with a grace time: slurmctld will requeue it when it ends, even if it ends by itself,
    // once (proc_req.c:_slurm_rpc_complete_batch_script).
    bool will_be_requeued = false;
};

// Answers Cause::unknown after `limit`, or when slurmctld cannot say; three seconds are within the shortest
// KillWait worth having.
void ask_news(Workers& workers, std::uint32_t job_id, std::function<void(JobNews)> done,
              std::chrono::milliseconds limit = std::chrono::seconds(3));

// Done when slurmctld has accepted the job and says so.
void requeue_job(Workers& workers, std::uint32_t job_id, std::function<void(std::optional<Error>)> done);

// Done when slurmctld has cancelled the job and says so.
void cancel_job(Workers& workers, std::uint32_t job_id, std::function<void(std::optional<Error>)> done);

// Requeues the job held, with `reason` where `scontrol show job` displays it.
void hold_job(Workers& workers, std::uint32_t job_id, const std::string& reason,
              std::function<void(std::optional<Error>)> done);

// Requeues the job, which does not start on `node` again; held when it could start nowhere else. `reason` as
// above.
void requeue_elsewhere(Workers& workers, std::uint32_t job_id, const std::string& node,
                       const std::string& reason, std::function<void(std::optional<Error>)> done);

// A requeued job starts only on nodes that have those of the features that `node` has. What went wrong is
// logged, and the job starts all the same.
void constrain_job(Workers& workers, std::uint32_t job_id, const std::string& node,
                   const std::vector<std::string>& features, std::function<void()> done);

// Shows `text` where `scontrol show job` displays it. Nobody waits for the outcome.
void comment_on_job(Workers& workers, std::uint32_t job_id, const std::string& text);

// What comment_on_job() has said last of the job, in this or another incarnation; empty if nothing.
void ask_history(Workers& workers, std::uint32_t job_id, std::function<void(Result<std::string>)> done);

// A user's jobs that have not ended.
struct UserJobs {
    std::string cluster;
    std::vector<wire::JobRange> ids;
};
// The line that `ckpt-slurmctld jobs` prints.
Result<UserJobs> user_jobs_of(const std::string& line);
void ask_user_jobs(Workers& workers, std::uint32_t uid, std::function<void(Result<UserJobs>)> done);

// The node that the job's batch script runs on, and its address.
struct BatchHost {
    std::string node;
    std::string address;
};
void ask_batch_host(Workers& workers, std::uint32_t job_id, std::function<void(Result<BatchHost>)> done);

// The job's quality of service; empty when slurmctld does not say.
void ask_qos(Workers& workers, std::uint32_t job_id, std::function<void(std::string)> done);

// The line that `ckpt-slurmctld cause` prints.
JobNews news_of(const std::string& line);

} // namespace ckpt
