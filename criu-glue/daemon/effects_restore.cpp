// SPDX-License-Identifier: GPL-2.0-or-later
// What a task starts from: asked of the store, and restored. Each is a worker that is started here and whose
// result becomes an event.
#include <algorithm>
#include <array>
#include <csignal>
#include <ctime>

#include "compat/node_here.hpp"
#include "effects_common.hpp"
#include "log.hpp"
#include "os/cgroup.hpp"
#include "os/process.hpp"
#include "os/procfs.hpp"
#include "os/tree.hpp"
#include "server.hpp"
#include "slurmctld.hpp"
#include "text/text.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::milliseconds k_history_pause{5000}; // for a slurmctld that did not answer

LastEnd last_end_of(const wire::AdoptResult& result) {
    using Kind = Failure::Kind;
    LastEnd last;
    last.fault_again = result.fault_again;
    if (result.last_ended == wire::HowEnded::out_of_memory)
        last.failure = Failure{Kind::out_of_memory, result.last_memory_limit, 0};
    if (result.last_ended == wire::HowEnded::fault)
        last.failure = Failure{Kind::fault, 0, result.last_signal};
    return last;
}

// For the daemon after us. What cannot be read now is not found again then.
void know_restored(Task& task) {
    if (const auto root = know_process(task.root_pid)) task.root_start_time = root->start_time;
    if (const auto init = know_process(task.init_pid)) task.init_start_time = init->start_time;
    task.mount_namespace_id = namespace_id(task.mount_namespace.get()).value_or(NamespaceId{});
    task.pid_namespace_id = namespace_id(task.pid_namespace.get()).value_or(NamespaceId{});
}

} // namespace

compat::Node Server::node_for(const Task& task) const {
    compat::Node node = compat::node_as_seen_by(task.shim_pid);
    node.any_kernel = m_policy.compat.any_kernel;
    return node;
}

namespace {

// What was spent on the generation by the incarnation that took it: the one before has its own.
double cpu_seconds(const wire::AdoptResult& from) {
    const std::int64_t ran = from.since != 0 ? std::max<std::int64_t>(from.taken_at - from.since, 0) : 0;
    return static_cast<double>(ran) * from.cpus;
}

} // namespace

Status Server::start_adopt(Job& job, const effect::Adopt& e, const Result<UserJobs>& unfinished) {
    if (!m_local) return fail(Code::restore_impossible, "the local directory for images is not usable");
    CKPT_TRY(const Fd images, m_local->make(job.local_name, LocalTier::restore_name(e.task)));
    wire::AdoptRequest request;
    request.place = job.place;
    request.step_id = e.task.step_id;
    request.node = node_for(job.tasks.at(e.task));
    request.node_name = job.facts.node;
    request.before_incarnation = e.before_incarnation;
    request.before_generation = e.before_generation;
    // Not what failed here before.
    if (const auto copy = m_copies.find(job.facts.job_id, job.place.uuid, e.task);
        copy && e.before_generation == 0) {
        request.here_incarnation = copy->incarnation;
        request.here_generation = copy->generation;
    }
    if (job.state.plan.restore.value.kind == Restore::Kind::job) {
        request.other_job = job.state.plan.restore.value.job_id;
        request.other_generation = job.state.plan.restore.value.generation;
        if (unfinished) {
            request.cluster = unfinished->cluster;
            request.unfinished = unfinished->ids;
        } else {
            request.why_unknown = unfinished.error().what;
        }
    }
    const std::array fds = {images.get()};
    job.tasks.at(e.task).worker =
        start_sealer(store_of(job, false), wire::encode(request), fds, k_store_limit,
                     [this, attempt = this_attempt(job, e.task)](const Result<Packet>& packet) {
                         adopted(attempt, packet);
                     });
    return {};
}

void Server::adopt_or_fail(Job& job, const effect::Adopt& e, const Result<UserJobs>& unfinished) {
    const Status started = start_adopt(job, e, unfinished);
    if (started) return;
    event::AdoptEnded ended;
    ended.task = e.task;
    ended.error = started.error();
    m_loop.after(std::chrono::milliseconds(0),
                 [this, job_id = job.facts.job_id, ended] { handle(job_id, ended); });
}

// Going on from a job that still runs, or from which another one does, would cut and put back files under it.
void Server::perform(Job& job, const effect::Adopt& e) {
    if (wait_for_leaving(job, e.task, [this, e](Job& still) { perform(still, e); })) return;
    const Attempt attempt = next_attempt(job, e.task);
    if (job.state.plan.restore.value.kind != Restore::Kind::job) return adopt_or_fail(job, e, UserJobs{});
    ask_user_jobs(m_workers, job.facts.uid, [this, attempt, e](const Result<UserJobs>& jobs) {
        if (Job* still = find_job(attempt); still != nullptr) adopt_or_fail(*still, e, jobs);
    });
}

Attempt Server::next_attempt(Job& job, const TaskKey& task) {
    ++job.tasks.at(task).attempt;
    return this_attempt(job, task);
}

Attempt Server::this_attempt(const Job& job, const TaskKey& task) {
    return {job.facts.job_id, job.serial, task, job.tasks.at(task).attempt};
}

Job* Server::find_job(const Attempt& attempt) {
    Job* job = find_job(attempt.job_id, attempt.serial);
    if (job == nullptr) return nullptr;
    const auto found = job->tasks.find(attempt.task); // a step may be over
    return found != job->tasks.end() && found->second.attempt == attempt.number ? job : nullptr;
}

// Restored stand-ins are bound where they were in the job that the checkpoint is of, and look for the shim
// there.
Status Server::move_step_dir(Job& job, const std::string& name) {
    if (name.empty() || name == job.step_dir || !m_step_dirs) return {};
    std::set<std::string> in_use;
    for (const auto& [job_id, other] : m_jobs)
        in_use.insert(other.step_dir);
    CKPT_CHECK(StepDirs::may_take(name, job.facts.uid, in_use));
    m_step_dirs->remove(job.step_dir);
    job.step_dir = name;
    return m_step_dirs->make(name, {{job.user.uid, job.user.gid, {}}});
}

// A restored script has the environment of another incarnation, or job. Its cgroup is that of this one.
void Server::link_step_dir(const Job& job, const Task& script) {
    if (script.stand_in != 0 || !m_step_dirs) return;
    const auto dir = cgroup_dir(script.shim_pid);
    const std::string of_job = dir ? job_cgroup(*dir) : std::string();
    if (!of_job.empty()) m_step_dirs->link(job.facts.uid, of_job.substr(of_job.rfind('/') + 1), job.step_dir);
}

void Server::adopted(const Attempt& attempt, const Result<Packet>& packet) {
    Job* job = find_job(attempt);
    if (job == nullptr) return;
    const auto& [job_id, serial, task, number] = attempt;
    event::AdoptEnded ended;
    ended.task = task;
    auto result = result_of<wire::AdoptResult>(packet);
    if (!result) {
        log::warning("job " + std::to_string(job_id) +
                     ": what it can go on from: " + one_line(result.error()));
        ended.error = result.error();
        return handle(job_id, ended);
    }
    if (result->is_here && !use_copy(*job, task)) // from the store then
        return perform(*job, effect::Adopt{task, 0, 0});
    using Found = event::AdoptEnded::Found;
    // an older generation was asked for because a newer one did not restore: "nothing" means that none is
    // left
    const bool retry = job->adopted.contains(task);
    switch (result->found) {
    case wire::Found::nothing:
        ended.found = retry ? Found::unusable : Found::nothing;
        break;
    case wire::Found::generation:
        ended.found = Found::generation;
        break;
    case wire::Found::completed:
        ended.found = Found::completed;
        break;
    case wire::Found::unusable:
        ended.found = Found::unusable;
        break;
    }
    ended.generation = result->generation;
    ended.last_end = last_end_of(*result);
    if (const auto memory = memory_cgroup_dir(job->tasks.at(task).shim_pid))
        ended.memory_limit = memory_cgroup(*memory).limit;
    ended.newest_generation = result->newest_generation;
    ended.adopted_before = result->adopted_before;
    if (result->end_again) ended.end_again = result->wait_status;
    ended.skipped = std::move(result->skipped);
    for (const wire::StepPart& part : result->steps)
        ended.steps[{part.stand_in, part.task_id}] = std::nullopt;
    for (const wire::ExitedTask& exited : result->exited)
        ended.steps[{exited.stand_in, exited.task_id}] = exited.wait_status;
    if (const Status moved = move_step_dir(*job, result->step_dir); !moved) ended.error = moved.error();
    link_step_dir(*job, job->tasks.at(task));
    if (result->found == wire::Found::generation)
        job->adopted[task] = {result->incarnation, result->generation,       result->of_job,
                              result->taken_at,    result->tree_was_stopped, result->is_here,
                              cpu_seconds(*result)};
    handle(job_id, ended);
}

Status Server::start_restore(Job& job, const effect::Restore& e) {
    Task& task = job.tasks.at(e.task);
    if (!m_local) return fail(Code::restore_impossible, "the local directory for images is not usable");
    const auto from = job.adopted.find(e.task);
    if (from == job.adopted.end()) return fail(Code::internal, "it is not known what to restore");
    CKPT_TRY(const Fd images, m_local->open(job.local_name, LocalTier::restore_name(e.task)));
    CKPT_TRY(const Fd tails, m_local->tails(job.local_name));
    CKPT_TRY(auto cgroups, cgroup_dirs(task.shim_pid));
    if (!pidfd_alive(task.shim_pidfd.get())) return fail(Code::not_found, "the task has ended");
    wire::RestoreRequest request;
    request.criu = m_policy.engine.criu;
    request.user = task.user;
    request.cgroup_dirs = std::move(cgroups);
    request.timeout_ms = milliseconds(m_policy.engine.restore_timeout);
    request.script = task.script;
    request.status_pipe = task.status_pipe;
    request.tree_was_stopped = from->second.tree_was_stopped && !task.was_restoring;
    request.files = files_of(job);
    request.ignore_changed = job.policy.failure.changed_file == ChangedFile::ignore;
    request.tail_limit = m_policy.engine.tail_limit;
    request.task_name = task_name(job, e.task);
    request.stdio = task.stdio;
    const std::array fds = {images.get(), tails.get(), task.mount_namespace.get(), task.shim_pidfd.get()};
    task.worker = m_workers.start(
        "ckpt-engine", wire::encode(request), fds, m_policy.engine.restore_timeout + wire::k_engine_margin,
        [this, attempt = this_attempt(job, e.task)](Result<Packet> packet) {
            restored(attempt, std::move(packet));
        },
        WorkerRuns{task.shim_pid, {}, false, [this, attempt = this_attempt(job, e.task)](Packet& packet) {
                       return is_tree_made(attempt, packet);
                   }});
    task.restores = true;
    return {};
}

void Server::perform(Job& job, const effect::Restore& e) {
    const Status started = start_restore(job, e);
    if (!started) restored(this_attempt(job, e.task), tl::unexpected(started.error()));
}

bool Server::is_tree_made(const Attempt& attempt, Packet& packet) {
    const auto type = wire::type_of(packet.bytes);
    if (!type || *type != wire::RestoreResult::k_type) return false;
    if (Job* job = find_job(attempt); job != nullptr) job->tasks.at(attempt.task).made = std::move(packet);
    return true;
}

void kill_made_tree(const Packet& made, std::uint32_t uid) {
    const auto result = wire::decode<wire::RestoreResult>(made.bytes);
    if (result && !made.fds.empty() && pidfd_alive(made.fds[0].get()))
        signal_tree(result->root_pid, uid, SIGKILL);
}

void Server::restored(const Attempt& attempt, Result<Packet> packet) {
    Job* job = find_job(attempt);
    if (job == nullptr) return;
    Task& task = job->tasks.at(attempt.task);
    std::optional<Packet> made = std::exchange(task.made, std::nullopt);
    if (packet || !task.restores) {
        task.restores = false;
        const auto done = result_of<wire::RestoreDone>(packet);
        if (done && made) return restore_ended(*job, attempt.task, std::move(*made));
        task.was_restoring = task.was_restoring || made;
        return restore_ended(*job, attempt.task,
                             done ? fail(Code::internal, "the engine returned no tree")
                                  : tl::unexpected(done.error()));
    }
    if (!made) return restore_died(attempt, packet.error());
    // Nobody knows whether the tree has gone with it.
    Packet tree = std::move(*made);
    kill_made_tree(tree, task.user.uid);
    task.was_restoring = true;
    if (tree.fds.empty()) return restore_died(attempt, packet.error());
    when_ended(std::move(tree.fds[0]),
               [this, attempt, error = packet.error()] { restore_died(attempt, error); });
}

void Server::when_ended(Fd pidfd, std::function<void()> then) {
    const auto process = std::make_shared<Fd>(std::move(pidfd));
    const auto watch = std::make_shared<Loop::Id>(0);
    *watch = m_loop.watch(process->get(), [this, watch, process, then = std::move(then)] {
        m_loop.cancel(*watch);
        then();
    });
}

// It has given no answer, and so has taken nothing back.
void Server::restore_died(const Attempt& attempt, const Error& error) {
    Job* job = find_job(attempt);
    if (job == nullptr) return;
    undo_restore(*job, attempt.task, [this, attempt, error](const Status& undone) {
        Job* still = find_job(attempt);
        if (still == nullptr) return;
        Error all{Code::restore_failed, "the restore ended without an answer: " + error.what, "", 0};
        if (!undone) all.what += "; and what it has left is not taken back: " + undone.error().what;
        restore_ended(*still, attempt.task, tl::unexpected(all));
    });
}

void Server::restore_ended(Job& job, const TaskKey& key, Result<Packet> packet) {
    Task& task = job.tasks.at(key);
    const std::uint32_t job_id = job.facts.job_id;
    const auto found = job.adopted.find(key);
    const AdoptedGeneration from = found != job.adopted.end() ? found->second : AdoptedGeneration{};
    event::RestoreEnded ended{key,
                              std::nullopt,
                              from.incarnation,
                              from.generation,
                              text::age(std::time(nullptr) - from.taken_at),
                              job.facts.node,
                              {},
                              from.of_job,
                              from.from_copy};
    const auto result = result_of<wire::RestoreResult>(packet);
    if (!result) {
        ended.error = result.error();
    } else if (packet->fds.size() != 3 && packet->fds.size() != 4) {
        ended.error = Error{Code::internal, "the engine returned no descriptors", "", 0};
    } else {
        task.root_pidfd = std::move(packet->fds[0]);
        task.mount_namespace = std::move(packet->fds[1]);
        task.pid_namespace = std::move(packet->fds[2]);
        if (packet->fds.size() == 4) task.restored_state = std::move(packet->fds[3]);
        task.root_pid = result->root_pid;
        task.root_pid_inside = result->root_pid_inside;
        task.init_pid = result->init_pid;
        know_restored(task);
        ended.complaints = result->complaints;
        std::ranges::copy(result->notes, std::back_inserter(ended.complaints));
        watch_memory(task);
        for (const std::string& file : result->rolled_back)
            log::info("job " + std::to_string(job_id) + ": rolled back " + file);
    }
    if (m_local) m_local->remove(job.local_name, LocalTier::restore_name(key));
    m_loop.after(std::chrono::milliseconds(0), [this, job_id, ended] { handle(job_id, ended); });
}

void Server::perform(Job& job, const effect::AskHistory& e) {
    const auto ask = [this, attempt = this_attempt(job, e.task)] {
        const Job* still = find_job(attempt);
        if (still == nullptr) return;
        ask_history(m_workers, attempt.job_id, [this, attempt](const Result<std::string>& comment) {
            if (find_job(attempt) == nullptr) return;
            handle(attempt.job_id,
                   event::HistoryKnown{attempt.task, comment.value_or(""),
                                       comment ? std::nullopt : std::optional(comment.error())});
        });
    };
    m_loop.after(e.again ? k_history_pause : std::chrono::milliseconds(0), ask);
}

} // namespace ckpt
