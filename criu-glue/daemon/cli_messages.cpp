// SPDX-License-Identifier: GPL-2.0-or-later
// What sckpt asks. Everybody sees and steers their own jobs; root sees and steers all.
#include <algorithm>
#include <array>

#include "log.hpp"
#include "os/files.hpp"
#include "os/procfs.hpp"
#include "server.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::seconds k_inspect_limit{30};
// Each listing is a process of root's that reads the whole store.
constexpr std::size_t k_listings_per_user = 2;
constexpr std::size_t k_listings = 8;

wire::Answer answer_of(const Error& error) {
    return {static_cast<std::uint32_t>(error.code), 0, one_line(error)};
}

// Whether the caller is a process of the job's own trees, which stands still while they are dumped.
bool asks_from_inside(const Job& job, pid_t caller) {
    for (const auto& [key, task] : job.tasks) {
        if (task.root_pid == 0) continue;
        pid_t pid = caller;
        for (int depth = 0; depth < 256 && pid > 1; ++depth) {
            if (pid == task.root_pid) return true;
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
    const auto base = expand_base(m_policy.storage.base, m.user);
    if (!base) return send(id, answer_of(base.error()));
    if (m_listings.size() >= k_listings || (uid != 0 && m_listings.count(uid) >= k_listings_per_user))
        return send(id,
                    answer_of({Code::busy, "the store is being listed already", "try again in a moment", 0}));
    auto pipe = make_pipe();
    if (!pipe) return send(id, answer_of(pipe.error()));
    const wire::InspectRequest request{*base, m_config.key_file, m.job_id, uid == 0 ? m.uid : uid, m.details};
    const std::array to_worker = {pipe->write.get()};
    m_workers.start("ckpt-sealer", wire::encode(request), to_worker, k_inspect_limit,
                    [this, uid](const auto& result) {
                        m_listings.extract(uid);
                        if (!result) log::warning("listing the store: " + one_line(result.error()));
                    });
    m_listings.insert(uid);
    const std::array to_client = {pipe->read.get()};
    send(id, wire::Answer{}, to_client);
}

void Server::on_message(ConnectionId id, const wire::CreateRequest& m) {
    const uid_t uid = m_connections.at(id).peer.uid;
    Job* job = find_job(m.job_id);
    // The same answer for "not here" and "not yours": nobody learns about other users' jobs.
    if (job == nullptr || (uid != 0 && uid != job->facts.uid))
        return send(
            id, answer_of({Code::not_found,
                           "no job " + std::to_string(m.job_id) + " of yours is checkpointed on this node",
                           "run sckpt on the job's node, e.g. srun --jobid=" + std::to_string(m.job_id) +
                               " --overlap sckpt create " + std::to_string(m.job_id),
                           0}));
    if (job->state.orphaned)
        return send(id, answer_of({Code::not_found,
                                   "ckptd was started anew and cannot reach job " + std::to_string(m.job_id) +
                                       " any more",
                                   "it is checkpointed again from its next start on", 0}));
    if (asks_from_inside(*job, m_connections.at(id).peer.pid)) {
        // Its connection to us could not be dumped: the checkpoint begins when the caller has closed it.
        m_connections.at(id).dump_when_closed = m.job_id;
        return send(id, wire::Answer{});
    }
    if (is_suspended(*job))
        return send(id, answer_of({Code::busy, "job " + std::to_string(m.job_id) + " is suspended",
                                   "try again when it has been resumed", 0}));
    if (job->on_demand)
        return send(id, answer_of({Code::busy, "a checkpoint of this job is under way", "", 0}));
    job->on_demand = id;
    handle(m.job_id, event::OnDemand{});
}

} // namespace ckpt
