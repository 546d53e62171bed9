// SPDX-License-Identifier: GPL-2.0-or-later
// The end of a job that ends by itself: whether the kernel had a hand in it, and how it is put on record.
#include <bit>
#include <utility>

#include "log.hpp"
#include "os/cgroup.hpp"
#include "os/process.hpp"
#include "record_again.hpp"
#include "server.hpp"
#include "slurmctld.hpp"
#include "wire/store_messages.hpp"

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
    if (is_app(job.state) && e.wait_status != 0) { // what it has saved stays
        m_loop.after(std::chrono::milliseconds(0), [this, job_id = job.facts.job_id, serial = job.serial] {
            if (find_job(job_id, serial) != nullptr) handle(job_id, event::CompletionRecorded{});
        });
        return;
    }
    ask_news(
        m_workers, job.facts.job_id,
        [this, job_id = job.facts.job_id, serial = job.serial, status = e.wait_status](const JobNews& news) {
            Job* ended = find_job(job_id, serial);
            if (ended == nullptr) return;
            if (news.cause == Cause::requeued || news.cause == Cause::preempted)
                return handle(job_id, event::CompletionRecorded{});
            if (is_app(ended->state) && news.will_be_requeued) // it goes on from what it has
                return handle(job_id, event::CompletionRecorded{});
            if (is_app(ended->state)) return finish_app(*ended);
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
    auto end = std::make_shared<EndToRecord>();
    end->job_id = job.facts.job_id;
    end->serial = job.serial;
    end->store = store_of(job, false);
    end->request = request;
    end->request.has_generations = job.state.saved > 0;
    try_to_record(end);
}

void Server::try_to_record(const std::shared_ptr<EndToRecord>& end) {
    ++end->tries;
    start_sealer(end->store, wire::encode(end->request), {}, k_record_limit,
                 [this, end](const Result<Packet>& packet) {
                     const auto result = result_of<wire::CompleteResult>(packet);
                     if (!result) return not_recorded(end, result.error());
                     if (end->tries > 1)
                         log::info("job " + std::to_string(end->job_id) + ": its end is on record now");
                     let_end(*end);
                 });
}

// The job may be forgotten here meanwhile: its end is of use as long as no later incarnation has begun.
void Server::not_recorded(const std::shared_ptr<EndToRecord>& end, const Error& error) {
    const auto age = std::chrono::steady_clock::now() - end->began;
    const RecordAgain again =
        record_again(error, end->tries, std::chrono::duration_cast<std::chrono::seconds>(age));
    const bool says = std::has_single_bit(end->tries) || !again.in; // the first, and ever fewer
    if (says)
        log::error("job " + std::to_string(end->job_id) + ": its end is not on record" +
                       (again.in ? ", which is tried again" : ""),
                   error);
    if (!again.holds_up) let_end(*end);
    if (!again.in) return;
    m_loop.after(*again.in, [this, end] {
        const Job* now = find_job(end->job_id);
        if (now == nullptr || now->serial == end->serial) try_to_record(end);
    });
}

void Server::let_end(EndToRecord& end) {
    if (std::exchange(end.has_been_let, true)) return;
    if (find_job(end.job_id, end.serial) != nullptr) handle(end.job_id, event::CompletionRecorded{});
}

} // namespace ckpt
