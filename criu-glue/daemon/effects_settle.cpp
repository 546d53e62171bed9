// SPDX-License-Identifier: GPL-2.0-or-later
// In a cut, what is on its way between trees, slurmstepd and srun comes to rest before the first tree is
// looked at.
#include <algorithm>

#include "os/cgroup.hpp"
#include "os/process.hpp"
#include "server.hpp"
#include "server_send.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::seconds k_settle_limit{5};
constexpr std::chrono::milliseconds k_settle_pause{1};
constexpr std::size_t k_sruns_max = 256; // of one job: what a shim says is its user's word
constexpr int k_pause_factor = 4;        // of the time that a look takes, which others wait for

Error no_rest() {
    return {Code::dump_failed, "what the job's steps read and write does not come to rest",
            "it will be tried again with the next checkpoint", 0};
}

Error runs_elsewhere() {
    return {Code::dump_refused,
            "a step of the job runs where it cannot be saved: in a container, on a node whose ckptd does not "
            "answer, or started while ckptd was away",
            "the job is checkpointed when that step has ended", 0};
}

bool has_step(const JobState& state, std::uint64_t stand_in) {
    return std::ranges::any_of(state.tasks, [&](const auto& one) { return one.second.stand_in == stand_in; });
}

bool is_running(const Task& task) {
    return task.root_pidfd && pidfd_alive(task.root_pidfd.get());
}

// Whether its shim has streams that have to come to rest.
bool settles(const Job& job, const TaskKey& key, const Task& task) {
    if (job.coordinator) return task.root_pid != 0 && task.state >= 0;
    const auto state = job.state.tasks.find(key);
    if (state == job.state.tasks.end() || !state->second.gated) return false;
    return state->second.phase == TaskState::Phase::running || state->second.phase == TaskState::Phase::ended;
}

// Whoever has named it.
bool is_of_same_job(pid_t pid, pid_t shim) {
    const auto one = cgroup_dir(pid);
    const auto other = cgroup_dir(shim);
    return one && other && job_cgroup(*one) == job_cgroup(*other) && !job_cgroup(*one).empty();
}

} // namespace

void Server::perform(Job& job, const effect::Settle& e) {
    job.settling = Settling{};
    job.settling->generation = e.generation;
    m_loop.after(k_settle_limit,
                 [this, job_id = job.facts.job_id, serial = job.serial, generation = e.generation] {
                     Job* still = find_job(job_id, serial);
                     if (still == nullptr || !still->settling || still->settling->generation != generation)
                         return;
                     settle_ended(*still, still->settling->has_foreign ? runs_elsewhere() : no_rest());
                 });
    ask_to_settle(job);
}

void Server::ask_to_settle(Job& job) {
    job.settling->sruns.clear();
    job.settling->has_stand_ins = false;
    std::set<TaskKey> asked;
    std::vector<ConnectionId> shims;
    for (const auto& [key, task] : job.tasks) {
        if (!settles(job, key, task)) continue;
        if (task.shim == 0 && is_running(task))
            return settle_ended(job, Error{Code::dump_failed, "a task of the job does not answer", "", 0});
        if (task.shim == 0) continue;
        asked.insert(key);
        shims.push_back(task.shim);
    }
    job.settling->round = SettleRound(++job.settle_rounds, std::move(asked), nodes_to_rest(job));
    for (const ConnectionId shim : shims)
        send(shim, wire::Settle{job.settle_rounds});
    if (!ask_nodes_to_rest(job)) return;
    if (job.settling->round.is_complete()) look_at_rest(job);
}

void Server::on_message(ConnectionId id, const wire::Settled& m) {
    const Connection& connection = m_connections.at(id);
    Job* job = find_job(connection.job_id);
    if (!connection.is_shim || job == nullptr) return drop_connection(id);
    if (!job->settling || !job->settling->round.awaits(connection.task, m.round)) return;
    if (m.code != 0) return settle_ended(*job, Error{Code::dump_refused, m.text.substr(0, 400), "", 0});
    const auto asked = job->tasks.find(connection.task); // a step may be over
    const pid_t shim = asked != job->tasks.end() ? asked->second.shim_pid : 0;
    for (std::size_t i = 0; i < m.sruns.size(); ++i) {
        const std::int32_t pid = m.sruns[i];
        if (job->settling->sruns.contains(pid)) continue;
        if (job->settling->sruns.size() >= k_sruns_max)
            return settle_ended(*job,
                                Error{Code::dump_refused, "the script has very many sruns at once", "", 0});
        if (is_of_same_job(pid, shim))
            job->settling->sruns[pid] = i < m.stand_ins.size() ? m.stand_ins[i] : 0;
    }
    job->settling->has_stand_ins = job->settling->has_stand_ins || m.has_stand_ins;
    job->settling->round.answered(connection.task, m.at_rest);
    if (job->settling->round.is_complete()) look_at_rest(*job);
}

// That of a tree that has ended may go; the next round does without it.
void Server::shim_left_round(Job& job, const TaskKey& key) {
    if (is_running(job.tasks.at(key)))
        return settle_ended(job, Error{Code::dump_failed, "a task of the job does not answer", "", 0});
    job.settling->round.answered(key, false);
    if (job.settling->round.is_complete()) look_at_rest(job);
}

// True when the cut is given up for that.
bool Server::are_any_without_us(const Job& job) {
    const std::uint64_t serial = job.serial;
    const std::uint32_t job_id = job.facts.job_id;
    if (!report_those_without_us(job)) return false;
    if (Job* still = find_job(job_id, serial); still != nullptr && still->settling)
        settle_ended(*still, runs_elsewhere());
    return true;
}

// At rest twice in a row, and nothing has run in between.
void Server::look_at_rest(Job& job) {
    Settling& settling = *job.settling;
    std::set<pid_t> pids;
    for (const auto& [pid, stand_in] : settling.sruns)
        pids.insert(pid);
    settling.has_foreign = false;
    for (const auto& [stand_in, stepd] : job.stepds)
        if (open_pidfd(stepd)) pids.insert(stepd.pid);
    const auto began = std::chrono::steady_clock::now();
    TcpQueues queues;
    std::map<pid_t, Activity> now;
    bool at_rest = settling.round.is_at_rest();
    for (const pid_t pid : pids) {
        const auto activity = activity_of(pid, queues);
        if (!activity) return settle_ended(job, activity.error());
        now[pid] = *activity;
        at_rest = at_rest && activity->at_rest;
        // It talks to a slurmstepd that has not told us.
        if (const auto srun = settling.sruns.find(pid);
            srun != settling.sruns.end() && activity->connected && !has_step(job.state, srun->second)) {
            settling.has_foreign = true;
            at_rest = false;
        }
    }
    const bool for_good = at_rest && now == settling.before;
    if (for_good && are_any_without_us(job)) return;
    if (for_good && settling.has_stand_ins) job.generations[settling.generation].step_dir = job.step_dir;
    if (for_good && !job.coordinator) return settle_ended(job, std::nullopt);
    settling.before = at_rest ? std::move(now) : std::map<pid_t, Activity>();
    if (!at_rest) settling.before[0] = {}; // unlike any that has come to rest
    if (job.coordinator) return tell_rest(job, for_good, std::nullopt);
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    m_loop.after(std::max(k_settle_pause, k_pause_factor * took),
                 [this, job_id = job.facts.job_id, serial = job.serial, generation = settling.generation] {
                     Job* still = find_job(job_id, serial);
                     if (still != nullptr && still->settling && still->settling->generation == generation)
                         ask_to_settle(*still);
                 });
}

// Later, since whoever has brought this about may hold the job.
void Server::settle_ended(Job& job, std::optional<Error> error) {
    const std::uint32_t generation = job.settling->generation;
    job.settling.reset();
    if (job.coordinator) return tell_rest(job, false, std::move(error));
    m_loop.after(std::chrono::milliseconds(0), [this, job_id = job.facts.job_id, serial = job.serial,
                                                generation, error = std::move(error)] {
        if (find_job(job_id, serial) != nullptr) handle(job_id, event::SettleEnded{generation, error});
    });
}

} // namespace ckpt
