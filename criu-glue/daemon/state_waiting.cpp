// SPDX-License-Identifier: GPL-2.0-or-later
// A generation that is due waits for tasks that are about to start, and not for ever: what comes late is no
// part of it, and what may run at any moment without being known makes it impossible.
#include "state_steps.hpp"

#include <algorithm>

namespace ckpt::state {

namespace {

using Phase = TaskState::Phase;
using Awaits = JobState::Awaits;

// What is restored has its own time limit.
Awaits awaits_now(const JobState& job) {
    if (job.taking || !is_coming(job) || !job.expected.empty() || is_starting(job)) return Awaits::nothing;
    if (job.final_wanted) return Awaits::starts_for_last;
    return job.asked_next || job.interval_next ? Awaits::starts : Awaits::nothing;
}

// Before it has said hello a shim starts nothing.
bool has_run_nothing(const TaskState& task) {
    return task.phase == Phase::registered && !task.shim_present && !task.may_run;
}

bool has_not_come_back(const TaskState& task) {
    return task.phase == Phase::registered && !task.shim_present && task.may_run && !task.without_us;
}

Error does_not_start() {
    return {Code::dump_refused, "a step of the job is about to start, and does not get to it",
            "it is checkpointed when that step runs or has ended", 0};
}

} // namespace

void await_starts(JobState& job, Effects& out) {
    const Awaits awaits = awaits_now(job);
    if (awaits != Awaits::nothing && awaits != job.awaits)
        out.emplace_back(effect::AwaitStarts{++job.awaits_number, awaits == Awaits::starts_for_last});
    job.awaits = awaits;
}

void on(JobState& job, const event::StartsOverdue& e, Effects& out) {
    if (job.awaits == Awaits::nothing || e.number != job.awaits_number) return;
    job.awaits = Awaits::nothing;
    for (auto& [key, task] : job.tasks)
        task.is_late = task.is_late || has_run_nothing(task);
    const Awaits awaits = awaits_now(job);
    // Shims look for a new daemon at leisure.
    const bool comes_back =
        std::ranges::any_of(job.tasks, [](const auto& one) { return has_not_come_back(one.second); });
    if (awaits == Awaits::starts_for_last || (awaits == Awaits::starts && !comes_back))
        give_up_what_is_due(job, does_not_start(), out);
}

// What it has written may lie before the next cut and after it: nobody would know at a restore.
void on(JobState& job, const event::RunsWithoutUs& e, Effects& /*out*/) {
    const auto found = job.tasks.find(e.task);
    if (found == job.tasks.end()) return;
    TaskState& task = found->second;
    if (task.phase != Phase::registered || task.shim_present) return;
    task.without_us = true;
    if (job.taking && !job.taking->error) job.taking->error = why_no_cut(job);
}

} // namespace ckpt::state
