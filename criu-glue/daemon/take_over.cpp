// SPDX-License-Identifier: GPL-2.0-or-later
// ckptd restarted or upgraded under running jobs: what is kept on file of each, how its tasks are found
// again, and how their shims come back. Their trees need us for nothing meanwhile: they report their end to
// the shim.
#include <fcntl.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <set>
#include <sstream>

#include "log.hpp"
#include "os/cgroup.hpp"
#include "os/files.hpp"
#include "os/process.hpp"
#include "os/procfs.hpp"
#include "os/tree.hpp"
#include "server.hpp"

namespace ckpt {

namespace {

// Between job_prolog and the first task there may be the prologs of other nodes.
constexpr std::chrono::minutes k_without_task{10};
constexpr std::size_t k_procs_max = 1 << 20;

std::int64_t now() {
    return static_cast<std::int64_t>(std::time(nullptr));
}

TaskOnFile on_file(const Task& task, const TaskState* state) {
    TaskOnFile file;
    file.stand_in = task.stand_in;
    if (state != nullptr) {
        file.restoring = state->phase == TaskState::Phase::restoring;
        file.tasks_here = state->tasks_here;
        file.step_nodes = state->step_nodes;
        file.has_ended = state->stand_in != 0 && state->exit_status.has_value();
        file.wait_status = state->exit_status.value_or(0);
    }
    file.registered = task.registered;
    file.shim = {task.shim_pid, task.shim_start_time};
    file.mount_namespace = task.mount_namespace_id;
    file.pid_namespace = task.pid_namespace_id;
    file.root = {task.root_pid, task.root_start_time};
    file.root_pid_inside = task.root_pid_inside;
    file.init = {task.init_pid, task.init_start_time};
    file.memory_cgroup = task.memory_cgroup;
    file.oom_kills_before = task.oom_kills_before;
    return file;
}

PendingOnFile on_file(const effect::Commit& commit, const Generation& generation, const JobState& state) {
    PendingOnFile file{
        commit.generation, commit.reason, commit.tree_was_stopped, generation.taken_at, {}, {}};
    for (const auto& [key, part] : generation.parts)
        file.parts.push_back(part);
    if (const auto found = state.committing.find(commit.generation); found != state.committing.end())
        for (const StepExit& exit : found->second.exited)
            file.exited.push_back({exit.task.stand_in, exit.task.task_id, exit.wait_status});
    return file;
}

// What is still to come of the generation that the script came from.
void put_expected(const Job& job, JobFile& file) {
    file.step_dir = job.step_dir;
    for (const auto& [stand_in, stepd] : job.stepds)
        file.stepds.push_back({stand_in, stepd});
    for (const auto& [task, ended] : job.state.expected)
        file.expected.push_back({task.stand_in, task.task_id, ended.has_value(), ended.value_or(0)});
    if (job.adopted.empty()) return;
    file.adopted_incarnation = job.adopted.begin()->second.incarnation;
    file.adopted_generation = job.adopted.begin()->second.generation;
}

JobFile on_file(const Job& job) {
    JobFile file;
    file.open = job.facts;
    file.plan = to_file(job.state.plan);
    file.managed = !job.state.unmanaged;
    file.opened_at = job.opened_at;
    file.checkpoint_due = job.checkpoint_due;
    file.last_generation = job.state.last_generation;
    file.saved = job.state.saved;
    file.newest_bytes = job.newest_bytes;
    file.dump_rate = static_cast<std::uint64_t>(job.rates.dump);
    file.commit_rate = static_cast<std::uint64_t>(job.rates.commit);
    file.pause_s = static_cast<std::uint64_t>(job.last_cost.count());
    file.cause = job.state.cause ? static_cast<std::uint8_t>(1 + static_cast<int>(*job.state.cause)) : 0;
    file.can_requeue = job.state.can_requeue;
    for (const auto& [number, generation] : job.generations)
        if (generation.commit && is_last(generation.commit->reason))
            file.pending.push_back(on_file(*generation.commit, generation, job.state));
    for (const auto& [key, task] : job.tasks) {
        const auto state = job.state.tasks.find(key);
        file.tasks.push_back(on_file(task, state != job.state.tasks.end() ? &state->second : nullptr));
    }
    for (const auto& [key, state] : job.state.tasks) // of which nothing is left but how they have ended
        if (state.stand_in != 0 && state.exit_status && !job.tasks.contains(key)) {
            Task ended;
            ended.registered.job_id = job.facts.job_id;
            ended.registered.step_id = key.step_id;
            ended.registered.task_id = key.task_id;
            ended.stand_in = state.stand_in;
            file.tasks.push_back(on_file(ended, &state));
        }
    put_expected(job, file);
    return file;
}

// A namespace that was pinned by the daemon before us. Its own processes are asked: slurmstepd, pid 1 of a
// namespace of ours, which its user cannot trace, and ourselves. The user's shim is believed only where the
// kernel never gives the same identity twice.
Result<Fd> open_again(const TaskOnFile& task, const std::string& name, const NamespaceId& wanted) {
    std::vector<pid_t> candidates{::getpid()};
    if (task.init.pid != 0 && open_pidfd(task.init)) candidates.push_back(task.init.pid);
    if (const auto shim = process_info(task.shim.pid)) {
        const auto parent = process_info(shim->ppid);
        if (parent && parent->uid == 0 && parent->euid == 0) candidates.push_back(parent->pid);
    }
    if (wanted.unique != 0) candidates.push_back(task.shim.pid);
    for (const pid_t pid : candidates)
        if (auto fd = open_namespace(pid, name, wanted)) return fd;
    return fail(Code::not_found, "the task's " + name + " namespace cannot be found again");
}

Status find_namespaces(Task& task, const TaskOnFile& file) {
    CKPT_TRY(task.mount_namespace, open_again(file, "mnt", file.mount_namespace));
    CKPT_TRY(task.pid_namespace, open_again(file, "pid", file.pid_namespace));
    task.mount_namespace_id = file.mount_namespace;
    task.pid_namespace_id = file.pid_namespace;
    return {};
}

// The task as it was, without its namespaces; Code::not_found when it has ended.
Result<Task> find_task(const TaskOnFile& file) {
    Task task;
    CKPT_TRY(task.shim_pidfd, open_pidfd(file.shim));
    task.registered = file.registered;
    task.shim_pid = file.shim.pid;
    task.shim_start_time = file.shim.start_time;
    task.user = {file.registered.uid, file.registered.gid, file.registered.groups};
    task.init_pid = file.init.pid;
    task.init_start_time = file.init.start_time;
    task.memory_cgroup = file.memory_cgroup;
    task.oom_kills_before = file.oom_kills_before;
    task.was_restoring = file.restoring;
    task.stand_in = file.stand_in;
    if (file.root.pid == 0) return task;
    auto root = open_pidfd(file.root);
    if (!root) return task; // it has ended, and its shim will say how
    task.root_pidfd = std::move(*root);
    task.root_pid = file.root.pid;
    task.root_start_time = file.root.start_time;
    task.root_pid_inside = file.root_pid_inside;
    return task;
}

std::vector<pid_t> processes_in(const std::string& cgroup) {
    std::vector<pid_t> pids;
    const Fd file(::open((cgroup + "/cgroup.procs").c_str(), O_RDONLY | O_CLOEXEC));
    const auto text = file ? read_all(file.get(), k_procs_max) : Result<std::string>(std::string());
    std::istringstream in(text ? *text : std::string());
    for (pid_t pid = 0; in >> pid;)
        pids.push_back(pid);
    return pids;
}

// A tree that the daemon before us had restored, and of which it could not tell the shim any more.
void kill_untold_tree(const Job& job, const Task& task) {
    const auto cgroup = cgroup_dir(task.shim_pid);
    // With another proctrack than cgroup it would hold other processes of the user's.
    const std::string name = "/job_" + std::to_string(task.registered.job_id) + "/";
    if (!cgroup || cgroup->find(name) == std::string::npos) return;
    std::set<pid_t> others; // of the step, which share it
    for (const auto& [key, other] : job.tasks)
        for (const pid_t root : {other.shim_pid, other.root_pid, other.init_pid})
            if (&other != &task && root != 0)
                if (const auto pids = tree_pids(root)) others.insert(pids->begin(), pids->end());
    for (const pid_t pid : processes_in(*cgroup)) {
        if (pid == task.shim_pid || others.contains(pid)) continue;
        const auto pidfd = open_pidfd(pid);
        const auto info = process_info(pid);
        const auto now_in = cgroup_dir(pid);
        if (pidfd && info && info->uid == task.user.uid && now_in && *now_in == *cgroup)
            (void)signal_pidfd(pidfd->get(), SIGKILL);
    }
}

} // namespace

void Server::keep_on_file(Job& job) const {
    if (!m_job_files) return;
    std::string bytes = wire::encode(on_file(job));
    if (bytes == job.on_file) return;
    if (const Status kept = m_job_files->save(job.facts.job_id, bytes); !kept)
        return log::error("the next ckptd will not know this job", kept.error());
    job.on_file = std::move(bytes);
}

Job Server::job_from(const JobFile& file) {
    Job job = make_job(file.open);
    job.taken_over = true;
    job.state.plan = plan_from(file.plan);
    job.place.base = job.state.plan.base.value;
    job.opened_at = file.opened_at;
    job.checkpoint_due = file.checkpoint_due;
    job.newest_bytes = file.newest_bytes;
    job.rates = {static_cast<double>(file.dump_rate), static_cast<double>(file.commit_rate)};
    job.last_cost = Seconds(file.pause_s);
    job.state.last_generation = file.last_generation;
    job.state.saved = file.saved;
    if (!file.step_dir.empty()) job.step_dir = file.step_dir;
    for (const StepdOnFile& one : file.stepds)
        job.stepds[one.stand_in] = one.stepd;
    for (const ExpectedOnFile& one : file.expected)
        job.state.expected[{one.stand_in, one.task_id}] =
            one.has_ended ? std::optional<int>(one.wait_status) : std::nullopt;
    if (file.adopted_generation != 0)
        job.adopted[{}] = {file.adopted_incarnation, file.adopted_generation, 0, 0, false, false};
    // What was decided when it started stays, whatever policy and key are like now.
    if (file.managed)
        job.state.unmanaged.reset();
    else if (!job.state.unmanaged)
        job.state.unmanaged = Error{Code::not_found, "checkpoints were off when the job started", "", 0};
    return job;
}

void Server::take_over_task(Job& job, const TaskOnFile& file) {
    const TaskKey key{file.registered.step_id, file.registered.task_id};
    const event::TaskRegistered registered{key, file.stand_in, file.tasks_here, file.step_nodes, true};
    auto task = find_task(file);
    if (!task) {
        if (!file.has_ended) return;
        (void)advance(job.state, registered);
        (void)advance(job.state, event::TreeExited{key, file.wait_status, {}});
        return;
    }
    job.user = task->user;
    if (const Status found = find_namespaces(*task, file); !found) {
        log::warning("job " + std::to_string(job.facts.job_id) +
                     " runs on without checkpoints: " + one_line(found.error()));
        job.state.orphaned = true;
    }
    job.tasks.emplace(key, std::move(*task));
    (void)advance(job.state, registered);
    if (file.has_ended) (void)advance(job.state, event::TreeExited{key, file.wait_status, {}});
}

// The images of a last generation are complete, and the one who was to bring them to the store is gone.
void Server::take_over_pending(Job& job, const JobFile& file) {
    for (const PendingOnFile& one : file.pending) {
        Committing committing{one.generation, one.reason, 0, 0};
        Generation& generation = job.generations[one.generation];
        generation.taken_at = one.taken_at;
        generation.step_dir = job.step_dir; // there may have been some
        for (const wire::Part& part : one.parts) {
            generation.parts[{part.step_id, part.task_id}] = part;
            committing.image_bytes += part.image_bytes;
            committing.frozen_us = std::max(committing.frozen_us, part.frozen_us);
        }
        if (one.tree_was_stopped) { // and has been ended
            job.state.ending = job.state.final_tried = job.state.final_taken = true;
            if (file.cause != 0) job.state.cause = static_cast<Cause>(file.cause - 1);
            job.state.can_requeue = file.can_requeue;
            for (auto& [key, task] : job.state.tasks)
                task.phase = TaskState::Phase::ended;
        }
        for (const wire::ExitedTask& exited : one.exited)
            committing.exited.push_back({{exited.stand_in, exited.task_id}, exited.wait_status});
        job.state.committing[one.generation] = committing;
        perform(job, effect::Commit{one.generation, one.reason, one.tree_was_stopped});
    }
}

std::vector<JobFile> Server::read_job_files() {
    auto files = JobFiles::open(m_config.job_files);
    if (!files) {
        log::error("jobs will not be known to the next ckptd", files.error());
        return {};
    }
    m_job_files.emplace(std::move(*files));
    return m_job_files->load();
}

// Jobs that were here under an earlier daemon and still are.
void Server::take_over_jobs(const std::vector<JobFile>& files) {
    for (const JobFile& file : files) {
        Job job = job_from(file);
        for (const TaskOnFile& task : file.tasks)
            take_over_task(job, task);
        const bool awaits_task =
            file.tasks.empty() && now() - file.opened_at < std::chrono::seconds(k_without_task).count();
        if (job.tasks.empty() && file.pending.empty() && !awaits_task) {
            if (m_job_files) m_job_files->remove(job.facts.job_id);
            continue;
        }
        log::info("job " + std::to_string(job.facts.job_id) + " was here under an earlier ckptd");
        job.epilog_over = job.tasks.empty() && !awaits_task; // it may have ended without us
        take_over_pending(m_jobs.emplace(job.facts.job_id, std::move(job)).first->second, file);
    }
}

// Its tree may have been started when the daemon before us could not be told any more, and may have ended.
void Server::shim_returned(Job& job, const TaskKey& key, const wire::TaskHello& m) {
    Task& task = job.tasks.at(key);
    if (task.root_pid == 0 && m.root_pid != 0) (void)know_root(task, m.root_pid);
}

// It asks what to start, so nothing runs that it knows of.
Status Server::shim_asks_again(Job& job, const TaskKey& key) {
    Task& task = job.tasks.at(key);
    if (!job.taken_over) return {};
    const bool restores =
        job.facts.restart_count > 0 || job.state.plan.restore.value.kind == Restore::Kind::job;
    if (task.root_pid != 0 && !restores) return fail(Code::not_permitted, "its tree was started before");
    if (task.was_restoring && !job.state.unmanaged && restores) kill_untold_tree(job, task);
    task.root_pid = task.init_pid = 0;
    task.root_pidfd.reset();
    return {};
}

} // namespace ckpt
