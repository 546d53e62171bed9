// SPDX-License-Identifier: GPL-2.0-or-later
// The end of a job that ends by itself: whether the kernel had a hand in it, and how it is put on record.
#include "log.hpp"
#include "os/cgroup.hpp"
#include "os/process.hpp"
#include "server.hpp"
#include "slurmctld.hpp"
#include "wire/worker.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::milliseconds k_end_limit{800}; // for slurmctld
constexpr std::chrono::seconds k_record_limit{30};

} // namespace

// From here on, whatever the kernel kills in the task's cgroup is the tree's; before, it may have been a
// restore that failed.
void Server::watch_memory(Task& task) {
    task.memory_cgroup = memory_cgroup_dir(task.shim_pid).value_or("");
    if (!task.memory_cgroup.empty()) task.oom_kills_before = memory_cgroup(task.memory_cgroup).oom_kills;
}

// Asked while the shim, or slurmstepd, waits for us: the cgroup is still there.
MemoryFacts Server::memory_facts(std::uint32_t job_id, const TaskKey& key) {
    Job* job = find_job(job_id);
    if (job == nullptr) return {};
    const auto found = job->tasks.find(key);
    if (found == job->tasks.end()) return {};
    Task& task = found->second;
    if (task.memory_cgroup.empty() && pidfd_alive(task.shim_pidfd.get())) // an earlier daemon has started it
        task.memory_cgroup = memory_cgroup_dir(task.shim_pid).value_or("");
    if (task.memory_cgroup.empty()) return {};
    const MemoryCgroup memory = memory_cgroup(task.memory_cgroup);
    return {memory.oom_kills > task.oom_kills_before, memory.limit_was_hit ? memory.limit : 0};
}

// A slow slurmctld does not hold up the end of the job, whose shim waits for the record. What ends after its
// requeue, such as a script that has requeued itself and exits, goes on from its last checkpoint: Slurm takes
// no notice of such an end either (job_mgr.c:_job_complete).
void Server::perform(Job& job, const effect::RecordCompletion& e) {
    ask_news(
        m_workers, job.facts.job_id,
        [this, job_id = job.facts.job_id, serial = job.serial, status = e.wait_status](const JobNews& news) {
            Job* ended = find_job(job_id, serial);
            if (ended == nullptr) return;
            if (news.cause == Cause::requeued || news.cause == Cause::preempted)
                return handle(job_id, event::CompletionRecorded{});
            record_end(*ended, status, news.will_be_requeued);
        },
        k_end_limit);
}

void Server::record_end(Job& job, int wait_status, bool will_be_requeued) {
    wire::CompleteRequest request;
    request.place = job.place;
    request.wait_status = wait_status;
    request.drop_generations = wait_status == 0;
    if (request.drop_generations) remove_copies(m_copies.drop_job(job.facts.job_id, job.place.uuid));
    request.will_be_requeued = will_be_requeued;
    ask_to_record(job, request);
}

void Server::perform(Job& job, const effect::RecordFailure& e) {
    const bool fault = e.failure.kind == Failure::Kind::fault;
    wire::CompleteRequest request;
    request.place = job.place;
    request.wait_status = e.wait_status;
    request.how = fault ? wire::HowEnded::fault : wire::HowEnded::out_of_memory;
    request.memory_limit = e.failure.memory_limit;
    request.signal = e.failure.signal;
    ask_to_record(job, request);
}

void Server::perform(Job& job, const effect::RecordStop& e) {
    wire::CompleteRequest request;
    request.place = job.place;
    request.how = wire::HowEnded::stopped;
    request.generation = e.generation;
    ask_to_record(job, request);
}

void Server::ask_to_record(Job& job, const wire::CompleteRequest& request) {
    start_sealer(store_of(job, false), wire::encode(request), {}, k_record_limit,
                 [this, job_id = job.facts.job_id, serial = job.serial](const Result<Packet>& packet) {
                     if (find_job(job_id, serial) == nullptr) return;
                     const auto result = result_of<wire::CompleteResult>(packet);
                     if (!result)
                         log::error("job " + std::to_string(job_id) + ": its end is not on record",
                                    result.error());
                     handle(job_id, event::CompletionRecorded{});
                 });
}

} // namespace ckpt
