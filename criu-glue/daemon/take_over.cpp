// SPDX-License-Identifier: GPL-2.0-or-later
// ckptd restarted or upgraded under running jobs: what is kept on file of each, how its tasks are found
// again, and how their shims come back. Their trees need us for nothing meanwhile: they report their end to
// the shim.
#include <algorithm>
#include <ctime>

#include "fault/fault.hpp"
#include "find_again.hpp"
#include "job_on_file.hpp"
#include "log.hpp"
#include "server.hpp"

namespace ckpt {

namespace {

// Between job_prolog and the first task there may be the prologs of other nodes.
constexpr std::chrono::minutes k_without_task{10};

std::int64_t now() {
    return static_cast<std::int64_t>(std::time(nullptr));
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
    CKPT_FAULT_IN_TIME("ckptd.take_over");
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
    job.state.in_allocation = file.in_allocation;
    job.state.switched_off = file.switched_off;
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
    const event::TaskRegistered registered{key, file.stand_in, file.step, true};
    auto task = find_task(file);
    if (!task) {
        if (!file.has_ended) return;
        (void)advance(job.state, registered);
        (void)advance(job.state, event::TreeExited{key, file.wait_status, {}});
        return;
    }
    job.user = task->user;
    // A program that saves itself is asked by its shim, and nobody enters them.
    if (const Status found = find_namespaces(*task, file); !found && !is_app(job.state)) {
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
        generation.mounts = {one.mounts.begin(), one.mounts.end()};
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
        const std::int64_t since = now() - file.opened_at;
        // On a node without the batch script there may be none between two steps.
        const bool may_have_steps = file.open.nodes > 1 && now() < file.open.end_time;
        const bool awaits_task =
            file.tasks.empty() && (may_have_steps || since < std::chrono::seconds(k_without_task).count());
        if (job.tasks.empty() && file.pending.empty() && !awaits_task) {
            if (m_job_files) m_job_files->remove(job.facts.job_id);
            continue;
        }
        log::info("job " + std::to_string(job.facts.job_id) + " was here under an earlier ckptd");
        job.epilog_over = job.tasks.empty() && !awaits_task; // it may have ended without us
        const bool has_script =
            std::ranges::any_of(file.tasks, [](const auto& one) { return one.stand_in == 0; });
        Job& taken = m_jobs.emplace(job.facts.job_id, std::move(job)).first->second;
        take_over_pending(taken, file);
        if (!has_script && !file.tasks.empty()) take_part(taken);
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
