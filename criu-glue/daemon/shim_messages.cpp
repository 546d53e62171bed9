// SPDX-License-Identifier: GPL-2.0-or-later
// What ckpt-shim says. It is the user's process: believed only in what concerns its own task, and only after
// the kernel has said that it is the registered one.
#include <algorithm>

#include "log.hpp"
#include "os/cgroup.hpp"
#include "os/process.hpp"
#include "os/procfs.hpp"
#include "server.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::seconds k_last_breath{1};

// The registered task whose process the peer is. A pid cannot have been reused while our pidfd shows the
// registered process alive.
std::pair<Job*, TaskKey> task_of(std::map<std::uint32_t, Job>& jobs, const Peer& peer) {
    for (auto& [job_id, job] : jobs)
        for (auto& [key, task] : job.tasks)
            if (task.shim_pid == peer.pid && task.user.uid == peer.uid && pidfd_alive(task.shim_pidfd.get()))
                return {&job, key};
    return {nullptr, {}};
}

} // namespace

bool Server::is_awaited_shim(const Peer& peer) {
    const auto [job, key] = task_of(m_jobs, peer);
    return job != nullptr && job->tasks.at(key).shim == 0;
}

void Server::on_message(ConnectionId id, const wire::ShimHello& m) {
    on_message(id, wire::TaskHello{
                       m.script, m.status_pipe, m.returning, m.root_pid, m.term_delivered, {0, 1, 2}, -1});
}

void Server::on_message(ConnectionId id, const wire::TaskHello& m) {
    Connection& connection = m_connections.at(id);
    const auto [job, key] = task_of(m_jobs, connection.peer);
    if (job == nullptr && !connection.is_shim)
        if (const auto* task = runs_without_us(connection.peer))
            return send(id, wire::ShimStart{task->starts ? wire::Start::unmanaged : wire::Start::ended, 0,
                                            task->line, 0, effect::k_not_started});
    if (job == nullptr || connection.is_shim) {
        log_nonsense(connection.peer, "no registered task");
        send(id, wire::Answer{static_cast<std::uint32_t>(Code::not_found), 0, "no registered task"});
        return drop_connection(id);
    }
    Task& task = job->tasks.at(key);
    if (task.shim != 0) return drop_connection(id); // one connection per task
    const auto phase = job->state.tasks[key].phase;
    if (!m.returning && phase == TaskState::Phase::running) return drop_connection(id);
    if (m.returning) shim_returned(*job, key, m);
    if (const Status fits = m.returning ? Status() : shim_asks_again(*job, key); !fits) {
        if (may_log(connection.peer.uid))
            log::warning("job " + std::to_string(job->facts.job_id) + ": " + one_line(fits.error()));
        return drop_connection(id);
    }
    task.shim = id;
    task.cgroup = cgroup_dir(task.shim_pid).value_or("");
    task.script = m.script.substr(0, 4096);
    task.status_pipe = m.status_pipe;
    task.stdio = m.stdio.size() == 3 ? m.stdio : std::vector<std::int32_t>{0, 1, 2};
    task.state = m.state;
    task.told = m.returning;
    task.term_delivered = m.returning && m.term_delivered;
    connection.is_shim = true;
    connection.job_id = job->facts.job_id;
    connection.task = key;
    link_step_dir(*job, task);
    const bool gated = m.state >= 0;
    if (m.returning) return handle(connection.job_id, event::ShimReturned{key, m.term_delivered, gated});
    handle(connection.job_id, event::ShimArrived{key, gated});
}

const Job::WithoutUs* Server::runs_without_us(const Peer& peer) const {
    for (const auto& [job_id, job] : m_jobs) {
        if (job.facts.uid != peer.uid) continue;
        for (const Job::WithoutUs& task : job.without_us)
            if (task.shim.pid == peer.pid && open_pidfd(task.shim)) return &task;
    }
    return nullptr;
}

Status Server::know_root(Task& task, pid_t pid) {
    CKPT_TRY(Fd pidfd, open_pidfd(pid));
    CKPT_TRY(const ProcessInfo info, process_info(pid));
    if (info.ppid != task.shim_pid || info.uid != task.user.uid)
        return fail(Code::not_permitted, "a tree that is not its shim's child");
    task.root_pid = pid;
    task.root_start_time = info.start_time;
    task.root_pid_inside = info.ns_pids.empty() ? pid : info.ns_pids.back();
    task.root_pidfd = std::move(pidfd);
    return {};
}

void Server::on_message(ConnectionId id, const wire::TreeStarted& m) {
    const Connection& connection = m_connections.at(id);
    Job* job = find_job(connection.job_id);
    if (!connection.is_shim || job == nullptr) return drop_connection(id);
    const auto found = job->tasks.find(connection.task);
    if (found == job->tasks.end()) return drop_connection(id);
    if (const Status known = know_root(found->second, m.pid); !known) {
        if (may_log(connection.peer.uid))
            log::warning("job " + std::to_string(connection.job_id) + ": " + one_line(known.error()));
        return drop_connection(id);
    }
    watch_memory(found->second);
    handle(connection.job_id, event::TreeStarted{connection.task});
}

void Server::on_message(ConnectionId id, const wire::ShimTerm& /*m*/) {
    const Connection& connection = m_connections.at(id);
    if (!connection.is_shim || find_job(connection.job_id) == nullptr) return drop_connection(id);
    handle(connection.job_id, event::TermArrived{connection.task});
}

void Server::on_message(ConnectionId id, const wire::TreeExited& m) {
    const Connection& connection = m_connections.at(id);
    if (!connection.is_shim || find_job(connection.job_id) == nullptr) return drop_connection(id);
    const MemoryFacts memory = memory_facts(connection.job_id, connection.task);
    handle(connection.job_id, event::TreeExited{connection.task, m.wait_status, memory});
}

void Server::shim_gone(std::uint32_t job_id, const TaskKey& task) {
    Job* job = find_job(job_id);
    if (job == nullptr) return;
    const auto found = job->tasks.find(task);
    if (found == job->tasks.end()) return;
    found->second.shim = 0;
    if (job->settling && job->settling->round.awaits(task)) shim_left_round(*job, task);
    job = find_job(job_id);
    if (job == nullptr || !job->tasks.contains(task)) return;
    if (!pidfd_alive(job->tasks.at(task).shim_pidfd.get()))
        return handle(job_id, event::TaskGone{task, memory_facts(job_id, task)});
    // A process that ends closes its descriptors before it is seen to have ended.
    m_loop.after(k_last_breath, [this, job_id, serial = job->serial, task] {
        Job* still = find_job(job_id, serial);
        if (still == nullptr) return;
        const auto away = still->tasks.find(task);
        if (away == still->tasks.end() || away->second.shim != 0) return;
        if (pidfd_alive(away->second.shim_pidfd.get()))
            report_those_without_us(*still);
        else
            handle(job_id, event::TaskGone{task, memory_facts(job_id, task)});
    });
    handle(job_id, event::ShimAway{task});
}

} // namespace ckpt
