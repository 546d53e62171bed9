// SPDX-License-Identifier: GPL-2.0-or-later
#include "job_on_file.hpp"

namespace ckpt {

namespace {

TaskOnFile on_file(const Task& task, const TaskState* state) {
    TaskOnFile file;
    file.restoring =
        task.restores || (task.root_pid != 0 && !task.told); // of a job whose script runs elsewhere
    file.stand_in = task.stand_in;
    file.step = task.step;
    if (state != nullptr) {
        file.restoring = state->phase == TaskState::Phase::restoring;
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
    PendingOnFile file{commit.generation,
                       commit.reason,
                       commit.tree_was_stopped,
                       generation.taken_at,
                       {},
                       {},
                       {generation.mounts.begin(), generation.mounts.end()}};
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

} // namespace

JobFile on_file(const Job& job) {
    JobFile file;
    file.open = job.facts;
    file.plan = to_file(job.state.plan);
    file.managed = !job.state.unmanaged;
    file.opened_at = job.opened_at;
    file.checkpoint_due = job.checkpoint_due;
    file.last_generation = job.state.last_generation;
    file.saved = job.state.saved;
    file.in_allocation = job.state.in_allocation;
    file.switched_off = job.state.switched_off;
    file.newest_bytes = job.newest_bytes;
    file.dump_rate = static_cast<std::uint64_t>(job.rates.dump);
    file.commit_rate = static_cast<std::uint64_t>(job.rates.commit);
    file.pause_s = static_cast<std::uint64_t>(job.last_cost.count());
    file.cause = job.state.cause ? static_cast<std::uint8_t>(1 + static_cast<int>(*job.state.cause)) : 0;
    file.can_requeue = job.state.can_requeue;
    for (const auto& [number, generation] : job.generations)
        // What is elsewhere of it nobody would bring to the store.
        if (generation.commit && is_last(generation.commit->reason) && generation.elsewhere.empty())
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

} // namespace ckpt
