// SPDX-License-Identifier: GPL-2.0-or-later
// What is counted, and when it is written down.
#include <sys/statvfs.h>

#include <algorithm>
#include <ctime>

#include "log.hpp"
#include "os/files.hpp"
#include "server.hpp"

namespace ckpt {

namespace {

// Its script runs here: each job is counted on one node.
bool counts(const Job& job) {
    return !job.coordinator && !job.tasks.empty();
}

std::uint64_t free_bytes(const std::string& path) {
    struct statvfs st{};
    return ::statvfs(path.c_str(), &st) == 0 ? std::uint64_t{st.f_bfree} * st.f_frsize : 0;
}

} // namespace

// Before the state machine has heard of it.
void Server::count(const Job& job, const Event& event) {
    if (const auto* dump = std::get_if<event::DumpEnded>(&event)) {
        const auto& taking = job.state.taking;
        const bool is_first = taking && !taking->error && taking->missing.contains(dump->task);
        // One that the end of the job has overtaken is no failure.
        if (is_first && dump->error && dump->error->code != Code::not_found)
            m_metrics.failed("dump", *dump->error);
    } else if (const auto* commit = std::get_if<event::CommitEnded>(&event)) {
        count_commit(job, *commit);
    } else if (const auto* restore = std::get_if<event::RestoreEnded>(&event)) {
        const auto task = job.state.tasks.find(restore->task);
        if (task == job.state.tasks.end() || task->second.stand_in != 0) return;
        if (restore->error) return m_metrics.failed("restore", *restore->error);
        const auto from = job.adopted.find(restore->task);
        m_metrics.restored(static_cast<double>(std::time(nullptr) - job.opened_at),
                           from != job.adopted.end() ? from->second.cpu_s : 0);
    } else if (const auto* hold = std::get_if<event::HoldEnded>(&event); hold != nullptr && !hold->error) {
        m_metrics.held();
    }
}

void Server::count_commit(const Job& job, const event::CommitEnded& e) {
    const auto committing = job.state.committing.find(e.generation);
    if (committing == job.state.committing.end()) return;
    if (e.error) return m_metrics.failed("commit", *e.error);
    const auto generation = job.generations.find(e.generation);
    const std::int64_t taken_at = generation != job.generations.end() ? generation->second.taken_at : 0;
    const auto lag = taken_at != 0 ? static_cast<double>(std::time(nullptr) - taken_at) : 0.0;
    m_metrics.saved(committing->second.reason, static_cast<double>(committing->second.frozen_us) / 1e6,
                    committing->second.image_bytes, e.stored_bytes, lag);
}

Gauges Server::gauges() const {
    Gauges now;
    for (const auto& [job_id, job] : m_jobs) {
        if (!counts(job)) continue;
        ++(job.state.unmanaged ? now.unmanaged : now.jobs);
        now.dumps += job.state.taking ? 1 : 0;
        now.commits += job.state.committing.size();
    }
    now.local_free = free_bytes(m_policy.storage.local);
    now.policy_is_good = m_policy_is_good;
    now.policy_at = m_policy_at;
    now.started_at = m_started_at;
    return now;
}

// What cannot be had does not keep ckptd from its work.
void Server::open_metrics() {
    const std::string path = m_config.socket.substr(0, m_config.socket.rfind('/')) + "/metrics.sock";
    auto socket = MetricsSocket::open(m_loop, path, [this] { return m_metrics.text(gauges()); });
    if (!socket) return log::error("metrics cannot be read", socket.error());
    m_metrics_socket = std::move(*socket);
    write_metrics();
}

void Server::write_metrics() {
    const PolicyMetrics& policy = m_policy.metrics;
    if (!policy.textfile.empty()) {
        const Status written = replace_file(policy.textfile, m_metrics.text(gauges()), 0644);
        if (!written && !m_metrics_failed) log::error("metrics are not written", written.error());
        m_metrics_failed = !written;
    }
    m_loop.cancel(m_metrics_timer);
    m_metrics_timer = m_loop.after(policy.every, [this] { write_metrics(); });
}

} // namespace ckpt
