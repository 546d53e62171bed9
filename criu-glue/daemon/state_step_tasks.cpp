// SPDX-License-Identifier: GPL-2.0-or-later
// Tasks of job steps: each belongs to one srun of the batch script, whose stand-in names it (docs/steps.md).
// They start from what the generation of the script's restore has of them, and from nothing else.
#include "state_steps.hpp"

#include <algorithm>
#include <utility>

namespace ckpt::state {

namespace {

using Phase = TaskState::Phase;

// The script's processes are dead, or about to be: what starts now would run behind the last checkpoint.
bool has_script_ended(const JobState& job) {
    return std::ranges::any_of(job.tasks, [](const auto& task) {
        return task.second.stand_in == 0 && task.second.phase == TaskState::Phase::ended;
    });
}

// Its srun has ended, and so has it: nothing of it can matter any more.
bool is_done(const JobState& job, const TaskKey& key, const TaskState& task) {
    const bool in_cut = job.taking && job.taking->missing.contains(key);
    return task.over && task.phase == Phase::ended && !task.shim_present && !in_cut;
}

void forget_done(JobState& job, Effects& out) {
    for (auto at = job.tasks.begin(); at != job.tasks.end();) {
        if (at->second.stand_in != 0 && is_done(job, at->first, at->second)) {
            out.emplace_back(effect::ForgetTask{at->first});
            at = job.tasks.erase(at);
        } else {
            ++at;
        }
    }
}

} // namespace

bool is_step(const JobState& job, const TaskKey& key) {
    const auto found = job.tasks.find(key);
    return found != job.tasks.end() && found->second.stand_in != 0;
}

bool has_own_interval(const JobState& job, const TaskState& task) {
    return task.step.interval != 0 && job.plan.interval.value != Interval{Seconds(task.step.interval)};
}

void step_arrived(JobState& job, const TaskKey& key, Effects& out) {
    TaskState& task = job.tasks.at(key);
    if (job.taking || job.standing || job.final_taken || has_script_ended(job)) {
        task.waits_for_cut = true;
        out.emplace_back(effect::HoldBackTerm{key}); // tells the shim that the answer takes a while
        return;
    }
    if (job.unmanaged) return start_unmanaged(*job.unmanaged, task, key, out);
    if (task.exit_status) { // its shim has not got that answer
        task.phase = Phase::ended;
        out.emplace_back(effect::StartTask{key, effect::Start::ended, {}, *task.exit_status});
        return;
    }
    const auto found = job.expected.find({task.stand_in, key.task_id});
    if (found == job.expected.end()) return start_fresh(task, key, {}, out);
    if (const std::optional<int> ended = found->second) {
        job.expected.erase(found);
        task.phase = Phase::ended;
        task.exit_status = ended;
        out.emplace_back(effect::StartTask{key, effect::Start::ended, {}, *ended});
        return;
    }
    task.phase = Phase::adopting;
    out.emplace_back(effect::HoldBackTerm{key});
    out.emplace_back(effect::FetchPart{key});
}

void start_what_waits_for_cut(JobState& job, Effects& out) {
    forget_done(job, out);
    if (job.taking || job.standing || job.final_taken || has_script_ended(job)) return;
    for (auto& [key, task] : job.tasks)
        if (std::exchange(task.waits_for_cut, false) && task.phase == Phase::registered && task.shim_present)
            step_arrived(job, key, out);
}

void on(JobState& job, const event::PartFetched& e, Effects& out) {
    const auto found = job.tasks.find(e.task);
    if (found == job.tasks.end() || found->second.phase != Phase::adopting) return;
    if (e.error)
        return hold_or_leave(job, found->second, e.task,
                             {e.error->code, "a step cannot be restored: " + one_line(*e.error), e.node},
                             out);
    found->second.phase = Phase::restoring;
    out.emplace_back(effect::Restore{e.task});
}

void step_restored(JobState& job, const event::RestoreEnded& e, Effects& out) {
    TaskState& task = job.tasks.at(e.task);
    if (task.phase != Phase::restoring) return;
    if (e.error)
        return hold_or_leave(job, task, e.task,
                             {e.error->code, "a step cannot be restored: " + one_line(*e.error), e.node},
                             out);
    task.phase = Phase::running;
    job.expected.erase({task.stand_in, e.task.task_id});
    for (const std::string& line : e.complaints)
        out.emplace_back(effect::Say{line});
    out.emplace_back(effect::StartTask{e.task, effect::Start::restored, {}});
}

} // namespace ckpt::state
