// SPDX-License-Identifier: GPL-2.0-or-later
// What sckpt asks. Everybody sees and steers their own jobs; root sees and steers all.
#include <algorithm>
#include <array>
#include <ctime>

#include "cli_answers.hpp"
#include "explain.hpp"
#include "log.hpp"
#include "os/files.hpp"
#include "server.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::seconds k_inspect_limit{30};
constexpr std::chrono::minutes k_verify_limit{30};

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
                                       uid == 0 ? wire::InspectRequest::k_anybody : uid,
                                       uid == 0 ? m.uid : uid};
    const std::array to_worker = {pipe->write.get()};
    start_sealer(*store, wire::encode(request), to_worker, m.verify ? k_verify_limit : k_inspect_limit,
                 [this, uid](const auto& result) {
                     m_listings.end(uid);
                     if (!result && may_log(uid))
                         log::warning("listing the store: " + one_line(result.error()));
                 });
    m_listings.begin(uid);
    const std::array to_client = {pipe->read.get()};
    send(id, wire::Answer{}, to_client);
}

bool Server::may_list(ConnectionId id) {
    Status may = check_key();
    if (!m_listings.may_begin(m_connections.at(id).peer.uid))
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
    m_listings.begin(uid);
    start_prune(*store, m.dry_run, std::move(pipe->write), [this, uid] { m_listings.end(uid); });
    const std::array to_client = {pipe->read.get()};
    send(id, wire::Answer{}, to_client);
}

// The same answer for "not here" and "not yours": nobody learns about other users' jobs.
Job* Server::job_of_caller(ConnectionId id, std::uint32_t job_id) {
    const uid_t uid = m_connections.at(id).peer.uid;
    Job* job = find_job(job_id);
    if (job != nullptr && (uid == 0 || uid == job->facts.uid)) return job;
    if (job_id == 0) job = job_around(id);
    if (job_id == 0 && job != nullptr) return job;
    send(id, answer_of({Code::not_found,
                        "no job " + std::to_string(job_id) + " of yours is checkpointed on this node",
                        "it was submitted without --checkpoint, or runs elsewhere", 0}));
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
    Job* job = job_of_caller(id, m.job_id);
    if (job == nullptr) return;
    wire::Explanation answer{job->facts.job_id, job->facts.restart_count, job->facts.node, {}, {}};
    if (job->state.unmanaged || job->state.orphaned) {
        answer.unmanaged = one_line(job->state.unmanaged ? *job->state.unmanaged : out_of_reach(m.job_id));
        return send(id, answer);
    }
    if (job->coordinator)
        return send(id,
                    answer_of({Code::not_found, "the job's script runs on another node, which knows its plan",
                               explain_there(*job), 0}));
    const JobState& state = job->state;
    const ExplainFacts facts{schedule_facts(*job), job->checkpoint_due, state.switched_off,
                             state.saved,          state.last_error,    checkpoint_cost(*job),
                             job->facts.end_time,  job->opened_at,      std::time(nullptr)};
    answer.values = explain(job->state.plan, job->policy, facts);
    send(id, answer);
}

} // namespace ckpt
