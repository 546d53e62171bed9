// SPDX-License-Identifier: GPL-2.0-or-later
// What sckpt asks. Everybody sees and steers their own jobs; root sees and steers all.
#include <algorithm>
#include <array>
#include <ctime>

#include "explain.hpp"
#include "log.hpp"
#include "os/files.hpp"
#include "os/procfs.hpp"
#include "server.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::seconds k_inspect_limit{30};
constexpr std::chrono::minutes k_verify_limit{30};
// Each listing is a process of root's that reads the whole store.
constexpr std::size_t k_listings_per_user = 2;
constexpr std::size_t k_listings = 8;

wire::Answer answer_of(const Error& error) {
    return {static_cast<std::uint32_t>(error.code), 0, one_line(error)};
}

Error out_of_reach(std::uint32_t job_id) {
    return {Code::not_found,
            "ckptd was started anew and cannot reach job " + std::to_string(job_id) + " any more",
            "it is checkpointed again from its next start on", 0};
}

// Whether the caller is a process of the job's own trees, which stands still while they are dumped.
bool asks_from_inside(const Job& job, pid_t caller) {
    for (const auto& [key, task] : job.tasks) {
        if (caller == task.shim_pid) continue;
        pid_t pid = caller;
        for (int depth = 0; depth < 256 && pid > 1; ++depth) {
            if (pid == task.root_pid || pid == task.shim_pid) return true;
            const auto info = process_info(pid);
            if (!info) break;
            pid = info->ppid;
        }
    }
    return false;
}

} // namespace

void Server::on_message(ConnectionId id, const wire::ListRequest& m) {
    const uid_t uid = m_connections.at(id).peer.uid;
    const auto store = store_of(m.user, uid == 0 ? m.uid : uid, m.dir);
    if (!store) return send(id, answer_of(store.error()));
    if (!may_list(id)) return;
    auto pipe = make_pipe();
    if (!pipe) return send(id, answer_of(pipe.error()));
    // Whose directory it is says nothing about who wrote what lies in it.
    const wire::InspectRequest request{m.job_id, m.details, m.verify,
                                       uid == 0 ? wire::InspectRequest::k_anybody : uid};
    const std::array to_worker = {pipe->write.get()};
    start_sealer(*store, wire::encode(request), to_worker, m.verify ? k_verify_limit : k_inspect_limit,
                 [this, uid](const auto& result) {
                     m_listings.extract(uid);
                     if (!result && may_log(uid))
                         log::warning("listing the store: " + one_line(result.error()));
                 });
    m_listings.insert(uid);
    const std::array to_client = {pipe->read.get()};
    send(id, wire::Answer{}, to_client);
}

bool Server::may_list(ConnectionId id) {
    const uid_t uid = m_connections.at(id).peer.uid;
    Status may = check_key();
    if (m_listings.size() >= k_listings || (uid != 0 && m_listings.count(uid) >= k_listings_per_user))
        may = fail(Code::busy, "the store is being listed already", "try again in a moment");
    if (!may) send(id, answer_of(may.error()));
    return may.has_value();
}

void Server::on_message(ConnectionId id, const wire::PruneCommand& m) {
    const uid_t uid = m_connections.at(id).peer.uid;
    const auto store = store_of(m.user, uid == 0 ? m.uid : uid, m.dir);
    if (!store) return send(id, answer_of(store.error()));
    if (!may_list(id)) return;
    auto pipe = make_pipe();
    if (!pipe) return send(id, answer_of(pipe.error()));
    m_listings.insert(uid);
    start_prune(*store, m.dry_run, std::move(pipe->write), [this, uid] { m_listings.extract(uid); });
    const std::array to_client = {pipe->read.get()};
    send(id, wire::Answer{}, to_client);
}

// The same answer for "not here" and "not yours": nobody learns about other users' jobs.
Job* Server::job_of_caller(ConnectionId id, std::uint32_t job_id, const std::string& command) {
    const uid_t uid = m_connections.at(id).peer.uid;
    Job* job = find_job(job_id);
    if (job != nullptr && (uid == 0 || uid == job->facts.uid)) return job;
    const std::string number = std::to_string(job_id);
    send(id, answer_of({Code::not_found, "no job " + number + " of yours is checkpointed on this node",
                        "run sckpt on the job's node, e.g. srun --jobid=" + number + " --overlap sckpt " +
                            command + " " + number,
                        0}));
    return nullptr;
}

namespace {

std::string explain_there(const Job& job) {
    const std::string number = std::to_string(job.facts.job_id);
    const std::string& node = job.coordinator->node;
    return "run sckpt there, e.g. srun --jobid=" + number + " --overlap --nodes=1 --ntasks=1 " +
           (node.empty() ? "" : "--nodelist=" + node + " ") + "sckpt explain " + number;
}

} // namespace

void Server::on_message(ConnectionId id, const wire::ExplainRequest& m) {
    Job* job = job_of_caller(id, m.job_id, "explain");
    if (job == nullptr) return;
    wire::Explanation answer{m.job_id, job->facts.restart_count, job->facts.node, {}, {}};
    if (job->state.unmanaged || job->state.orphaned) {
        answer.unmanaged = one_line(job->state.unmanaged ? *job->state.unmanaged : out_of_reach(m.job_id));
        return send(id, answer);
    }
    if (job->coordinator)
        return send(id,
                    answer_of({Code::not_found, "the job's script runs on another node, which knows its plan",
                               explain_there(*job), 0}));
    const ExplainFacts facts{job->facts.nodes,    job->last_cost, checkpoint_cost(*job),
                             job->facts.end_time, job->opened_at, std::time(nullptr)};
    answer.values = explain(job->state.plan, m_policy, facts);
    send(id, answer);
}

// Somebody waits for one, here or on another node.
bool Server::is_create_under_way(const Job& job) {
    return job.on_demand || !job.others.asker.empty();
}

Error Server::create_under_way() {
    return {Code::busy, "a checkpoint of this job is under way", "", 0};
}

void Server::on_message(ConnectionId id, const wire::CreateRequest& m) {
    Job* job = job_of_caller(id, m.job_id, "create");
    if (job == nullptr) return;
    if (job->state.unmanaged) return send(id, answer_of(*job->state.unmanaged));
    if (job->state.orphaned) return send(id, answer_of(out_of_reach(m.job_id)));
    if (asks_from_inside(*job, m_connections.at(id).peer.pid)) {
        // Its connection to us could not be dumped: the checkpoint begins when the caller has closed it.
        m_connections.at(id).dump_when_closed = m.job_id;
        return send(id, wire::Answer{});
    }
    if (is_suspended(*job)) return send(id, answer_of(suspended_error(m.job_id)));
    if (is_create_under_way(*job)) return send(id, answer_of(create_under_way()));
    job->on_demand = id;
    want_dump({m.job_id, true, true});
}

} // namespace ckpt
