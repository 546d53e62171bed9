// SPDX-License-Identifier: GPL-2.0-or-later
// Commits: one of a job at a time, each a worker that is started here and whose result becomes an event.
#include <algorithm>
#include <set>
#include <utility>

#include "compat/node_here.hpp"
#include "effects_common.hpp"
#include "log.hpp"
#include "server.hpp"

namespace ckpt {

void Server::perform(Job& job, const effect::Commit& e) {
    if (is_app(job.state)) return note_app_generation(job, e.generation);
    job.generations[e.generation].commit = e;
    job.commit_queue.push_back(e);
    start_next_commit(job);
}

void Server::start_next_commit(Job& job) {
    if (job.commit_runs || job.commit_queue.empty()) return;
    const effect::Commit next = job.commit_queue.front();
    job.commit_queue.pop_front();
    const Status started = start_commit(job, next);
    if (started) {
        job.commit_runs = true;
        return;
    }
    m_loop.after(std::chrono::milliseconds(0), [this, job_id = job.facts.job_id, serial = job.serial,
                                                gen = next.generation, error = started.error()] {
        handle(job_id, event::CommitEnded{gen, error, 0});
        if (Job* still = find_job(job_id, serial)) start_next_commit(*still);
    });
}

// What is written at once shares it.
std::uint64_t Server::share_of_bandwidth() const {
    const auto others = std::ranges::count_if(m_jobs, [](const auto& one) { return one.second.commit_runs; });
    const std::uint64_t all = m_policy.admission.bandwidth;
    return all == 0 ? 0 : std::max<std::uint64_t>(all / (static_cast<std::uint64_t>(others) + 1), 1);
}

// Whether the job, or its end, waits for what is on its way to the store.
bool Server::is_held_up(const Job& job) {
    const JobState& state = job.state;
    return state.ending || state.standing || state.limit_waits || state.epilog_waits;
}

bool Server::is_waited_for(const Job& job) {
    return is_held_up(job) || job.state.on_demand_waits;
}

compat::Needs needs_of(const Generation& generation) {
    compat::Node here = compat::node_here();
    return {
        std::move(here.cpu), std::move(here.kernel), {generation.mounts.begin(), generation.mounts.end()}};
}

Status Server::start_commit(Job& job, const effect::Commit& e) {
    if (!m_local) return fail(Code::dump_unfit, "the local directory for images is not usable");
    const Generation& generation = job.generations[e.generation];
    wire::CommitRequest request;
    request.place = job.place;
    request.generation = e.generation;
    request.keep = job.state.plan.keep.value;
    request.taken_at = generation.taken_at;
    request.since = job.opened_at;
    request.cpus = job.facts.cpus;
    request.reason = to_string(e.reason);
    request.tree_was_stopped = e.tree_was_stopped;
    std::vector<Fd> directories;
    std::vector<int> fds;
    for (const auto& [key, part] : generation.parts) {
        CKPT_TRY(Fd images, m_local->open(job.local_name, LocalTier::image_name(e.generation, key)));
        fds.push_back(images.get());
        directories.push_back(std::move(images));
        request.parts.push_back(part);
    }
    request.needs = needs_of(generation);
    if (const auto committing = job.state.committing.find(e.generation);
        committing != job.state.committing.end())
        for (const StepExit& exit : committing->second.exited)
            request.exited.push_back({exit.task.stand_in, exit.task.task_id, exit.wait_status});
    for (const auto& [key, part] : generation.elsewhere)
        request.elsewhere.push_back({part.stand_in, key.step_id, key.task_id});
    request.elsewhere_ms = milliseconds(k_store_limit) / 2;
    request.step_dir = generation.step_dir;
    request.compression = m_policy.storage.compression;
    if (!is_last(e.reason) && !is_held_up(job)) { // else the trees may stand still until it is through
        request.bandwidth = share_of_bandwidth();
        request.leases = m_policy.admission.leases;
        request.lease_slots = m_policy.admission.commits;
    }
    request.retention = retention();
    request.has_generations = job.state.saved > 0;
    const auto began = std::chrono::steady_clock::now();
    job.commit_worker = start_sealer(
        store_of(job, !request.has_generations, !is_waited_for(job)), wire::encode(request), fds,
        k_store_limit,
        [this, job_id = job.facts.job_id, serial = job.serial, gen = e.generation,
         reason = e.reason, began](const Result<Packet>& packet) {
            Job* done = find_job(job_id, serial);
            if (done == nullptr) return;
            done->commit_runs = false;
            const auto result = result_of<wire::CommitResult>(packet);
            event::CommitEnded ended{gen, std::nullopt, 0};
            if (result) {
                ended.stored_bytes = result->stored_bytes;
                done->rates.commit = rate(done->newest_bytes, std::chrono::steady_clock::now() - began);
                if (done->newest_bytes >= k_telling_bytes) m_rates.commit = done->rates.commit;
                for (const std::string& note : result->notes)
                    if (reason != Reason::on_demand || may_log(done->facts.uid))
                        log::warning("job " + std::to_string(job_id) + ": " + note);
            } else {
                ended.error = result.error();
            }
            handle(job_id, ended);
            if (Job* still = find_job(job_id, serial)) start_next_commit(*still);
        },
        [this, job_id = job.facts.job_id, serial = job.serial, gen = e.generation](const Packet& packet) {
            const auto type = wire::type_of(packet.bytes);
            if (!type || *type != wire::CommitReady::k_type) return false;
            if (Job* ready = find_job(job_id, serial)) ask_nodes_to_seal(*ready, gen);
            return true;
        });
    return {};
}

void Server::perform(Job& job, const effect::DiscardImages& e) {
    if (is_app(job.state)) return; // there are none
    if (!job.coordinator) decide_on_all_nodes(job, e);
    if (e.is_saved && !job.coordinator) keep_copies(job, e.generation);
    const auto found = job.generations.find(e.generation);
    std::set<TaskKey> keys; // a step may be over, and its images are there
    for (const auto& [key, task] : job.tasks)
        keys.insert(key);
    if (found != job.generations.end())
        for (const auto& [key, part] : found->second.parts)
            keys.insert(key);
    if (m_local)
        for (const TaskKey& key : keys)
            m_local->remove(job.local_name, LocalTier::image_name(e.generation, key));
    if (found != job.generations.end()) job.generations.erase(found);
}

} // namespace ckpt
