// SPDX-License-Identifier: GPL-2.0-or-later
// Several dumps as one cut (state_cut.cpp): their workers wait for each other, and what is on its way between
// trees, slurmstepd and srun comes to rest before the first tree is looked at.
#include <algorithm>
#include <array>

#include "effects_common.hpp"
#include "log.hpp"
#include "os/cgroup.hpp"
#include "os/process.hpp"
#include "os/procfs.hpp"
#include "server.hpp"
#include "server_send.hpp"
#include "slurmctld.hpp"
#include "state_steps.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::seconds k_settle_limit{5};
constexpr std::chrono::milliseconds k_settle_pause{1};
constexpr std::chrono::seconds k_starts_patience{10};     // a task prolog may take some time
constexpr std::chrono::seconds k_starts_patience_last{2}; // of KillWait, 30 seconds by default
constexpr std::size_t k_sruns_max = 256;                  // of one job: what a shim says is its user's word
constexpr int k_pause_factor = 4; // of the time that a look takes, which others wait for

Error no_rest() {
    return {Code::dump_failed, "what the job's steps read and write does not come to rest",
            "it will be tried again with the next checkpoint", 0};
}

Error runs_elsewhere() {
    return {Code::dump_refused,
            "a step of the job runs where it cannot be saved: on another node, in a container, or "
            "started while ckptd was away",
            "the job is checkpointed when that step has ended", 0};
}

bool has_step(const JobState& state, std::uint64_t stand_in) {
    return std::ranges::any_of(state.tasks, [&](const auto& one) { return one.second.stand_in == stand_in; });
}

// A process of the job, whoever has named it.
bool is_of_job(pid_t pid, std::uint32_t job_id) {
    const auto cgroup = cgroup_dir(pid);
    return cgroup && cgroup->find("/job_" + std::to_string(job_id) + "/") != std::string::npos;
}

} // namespace

bool Server::dump_waits(std::uint32_t job_id, std::uint64_t serial, const TaskKey& task,
                        std::uint32_t generation, const Packet& packet) {
    const auto type = wire::type_of(packet.bytes);
    if (!type || (*type != wire::DumpStopped::k_type && *type != wire::DumpTaken::k_type)) return false;
    if (find_job(job_id, serial) == nullptr) return true;
    if (*type == wire::DumpStopped::k_type)
        handle(job_id, event::DumpStopped{task, generation});
    else
        handle(job_id, event::DumpTaken{task, generation});
    return true;
}

void Server::perform(Job& job, const effect::DumpGoOn& e) {
    const auto found = job.tasks.find(e.task);
    if (found == job.tasks.end()) return;
    wire::DumpGoOn go_on;
    if (e.give_up) go_on.outcome = wire::outcome_of(*e.give_up);
    m_workers.tell(found->second.worker, wire::encode(go_on));
}

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
    job.settling->at_rest = true;
    job.settling->has_stand_ins = false;
    job.settling->sruns.clear();
    std::vector<ConnectionId> shims;
    for (const auto& [key, task] : job.tasks) {
        const auto state = job.state.tasks.find(key);
        const bool has_tree =
            state != job.state.tasks.end() && (state->second.phase == TaskState::Phase::running ||
                                               state->second.phase == TaskState::Phase::ended);
        if (!has_tree || !state->second.gated) continue;
        if (task.shim == 0 && state->second.phase == TaskState::Phase::running)
            return settle_ended(job, Error{Code::dump_failed, "a task of the job does not answer", "", 0});
        if (task.shim == 0) continue;
        job.settling->asked.insert(key);
        shims.push_back(task.shim);
    }
    for (const ConnectionId shim : shims)
        send(shim, wire::Settle{});
    if (shims.empty()) look_at_rest(job);
}

void Server::on_message(ConnectionId id, const wire::Settled& m) {
    const Connection& connection = m_connections.at(id);
    Job* job = find_job(connection.job_id);
    if (!connection.is_shim || job == nullptr) return drop_connection(id);
    if (!job->settling || !job->settling->asked.contains(connection.task)) return;
    if (m.code != 0) return settle_ended(*job, Error{Code::dump_refused, m.text.substr(0, 400), "", 0});
    job->settling->at_rest = job->settling->at_rest && m.at_rest;
    job->settling->has_stand_ins = job->settling->has_stand_ins || m.has_stand_ins;
    for (std::size_t i = 0; i < m.sruns.size(); ++i) {
        const std::int32_t pid = m.sruns[i];
        if (job->settling->sruns.contains(pid)) continue;
        if (job->settling->sruns.size() >= k_sruns_max)
            return settle_ended(*job,
                                Error{Code::dump_refused, "the script has very many sruns at once", "", 0});
        if (is_of_job(pid, job->facts.job_id))
            job->settling->sruns[pid] = i < m.stand_ins.size() ? m.stand_ins[i] : 0;
    }
    settled(*job, connection.task);
}

void Server::settled(Job& job, const TaskKey& key) {
    if (job.settling->asked.erase(key) == 0 || !job.settling->asked.empty()) return;
    look_at_rest(job);
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
    bool at_rest = settling.at_rest;
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
    if (at_rest && now == settling.before) {
        if (settling.has_stand_ins) job.generations[settling.generation].step_dir = job.step_dir;
        return settle_ended(job, std::nullopt);
    }
    settling.before = at_rest ? std::move(now) : std::map<pid_t, Activity>();
    if (!at_rest) settling.before[0] = {}; // unlike any that has come to rest
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
    m_loop.after(std::chrono::milliseconds(0), [this, job_id = job.facts.job_id, serial = job.serial,
                                                generation, error = std::move(error)] {
        if (find_job(job_id, serial) != nullptr) handle(job_id, event::SettleEnded{generation, error});
    });
}

void Server::perform(Job& job, const effect::Proceed& /*e*/) {
    job.settling.reset();
    for (const auto& [key, task] : job.tasks)
        if (task.state >= 0) order(job, key, wire::Order::go_on);
}

Job* Server::job_of_script(ConnectionId id) {
    const Connection& connection = m_connections.at(id);
    Job* job = find_job(connection.job_id);
    if (!connection.is_shim || job == nullptr) {
        drop_connection(id);
        return nullptr;
    }
    const auto found = job->tasks.find(connection.task);
    return found != job->tasks.end() && found->second.stand_in == 0 ? job : nullptr;
}

void Server::on_message(ConnectionId id, const wire::StepOver& m) {
    Job* job = job_of_script(id);
    if (job == nullptr || m.stand_in == 0) return;
    job->stepds.erase(m.stand_in);
    handle(job->facts.job_id, event::StepOver{m.stand_in});
}

// What it does not name has ended, and is not awaited any more.
void Server::on_message(ConnectionId id, const wire::StepsKnown& m) {
    const Job* job = job_of_script(id);
    if (job == nullptr) return;
    const std::uint32_t job_id = job->facts.job_id;
    std::set<std::uint64_t> gone = job->state.unfit;
    for (const auto& [task, ended] : job->state.expected)
        gone.insert(task.stand_in);
    for (const auto& [key, task] : job->state.tasks)
        if (task.stand_in != 0) gone.insert(task.stand_in);
    for (const std::uint64_t stand_in : m.stand_ins)
        gone.erase(stand_in);
    for (const std::uint64_t stand_in : gone)
        handle(job_id, event::StepOver{stand_in});
    job = find_job(job_id);
    if (job != nullptr && job->state.expected.empty()) send(id, wire::ShimOrder{wire::Order::go_on, {}});
}

// Whose tasks had begun has failed by itself.
void Server::on_message(ConnectionId id, const wire::StepDoubt& m) {
    const Job* job = job_of_script(id);
    if (job == nullptr) return;
    // The script has its SIGTERM and runs on: it sees whatever happens to it until its end.
    if (has_step(job->state, m.stand_in) || state::is_settled(job->state))
        return send(id, wire::StepCleared{m.stand_in});
    ask_news(m_workers, job->facts.job_id,
             [this, id, stand_in = m.stand_in, job_id = job->facts.job_id,
              serial = job->serial](const JobNews& news) {
                 const Job* still = find_job(job_id, serial);
                 if (still == nullptr) return;
                 const bool runs_on = news.cause == Cause::running || news.cause == Cause::unknown;
                 if (runs_on || state::is_settled(still->state)) send(id, wire::StepCleared{stand_in});
             });
}

void Server::perform(Job& job, const effect::ForgetTask& e) {
    const auto found = job.tasks.find(e.task);
    if (found == job.tasks.end()) return;
    const ConnectionId shim = found->second.shim;
    m_workers.abandon(found->second.worker);
    job.tasks.erase(found);
    if (shim != 0) m_loop.after(std::chrono::milliseconds(0), [this, shim] { drop_connection(shim); });
}

void Server::perform(Job& job, const effect::AwaitStarts& e) {
    m_loop.after(e.is_last ? k_starts_patience_last : k_starts_patience,
                 [this, job_id = job.facts.job_id, serial = job.serial, number = e.number] {
                     Job* still = find_job(job_id, serial);
                     if (still == nullptr) return;
                     sign_off_dead_tasks(*still);
                     if (find_job(job_id, serial) != nullptr) handle(job_id, event::StartsOverdue{number});
                 });
}

// Of a task that has ended before its hello nobody may tell us: slurmstepd may have been killed with it.
void Server::sign_off_dead_tasks(const Job& job) {
    std::vector<TaskKey> dead;
    for (const auto& [key, task] : job.tasks)
        if (task.shim == 0 && !pidfd_alive(task.shim_pidfd.get())) dead.push_back(key);
    const std::uint32_t job_id = job.facts.job_id;
    for (const TaskKey& key : dead)
        handle(job_id, event::TaskGone{key, memory_facts(job_id, key)});
}

Status Server::start_fetch(Job& job, const TaskKey& key) {
    if (!m_local) return fail(Code::restore_impossible, "the local directory for images is not usable");
    if (job.adopted.empty())
        return fail(Code::restore_impossible, "it is not known which checkpoint the script came from");
    CKPT_TRY(const Fd images, m_local->make(job.local_name, LocalTier::restore_name(key)));
    const AdoptedGeneration from = job.adopted.begin()->second; // an incarnation comes from one generation
    const wire::PartRequest request{job.place, from.incarnation, from.generation, job.tasks.at(key).stand_in,
                                    key.task_id};
    job.adopted[key] = from;
    job.adopted[key].from_copy = false;
    const std::array fds = {images.get()};
    job.tasks.at(key).worker =
        start_sealer(store_of(job, false), wire::encode(request), fds, k_store_limit,
                     [this, attempt = this_attempt(job, key)](const Result<Packet>& packet) {
                         fetched(attempt, result_of<wire::PartResult>(packet).map([](const auto&) {}));
                     });
    return {};
}

void Server::perform(Job& job, const effect::FetchPart& e) {
    const Attempt attempt = next_attempt(job, e.task);
    if (const Status started = start_fetch(job, e.task); !started)
        m_loop.after(std::chrono::milliseconds(0),
                     [this, attempt, error = started.error()] { fetched(attempt, tl::unexpected(error)); });
}

void Server::fetched(const Attempt& attempt, const Status& status) {
    if (find_job(attempt) == nullptr) return;
    event::PartFetched fetched{attempt.task, std::nullopt};
    if (!status) fetched.error = status.error();
    handle(attempt.job_id, fetched);
}

} // namespace ckpt
