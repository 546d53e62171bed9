// SPDX-License-Identifier: GPL-2.0-or-later
// A time limit is known beforehand: the job is dumped, saved and requeued before Slurm ends it, and resumes
// with a fresh allowance. Its trees stand still from the dump on, so that nothing they do is lost; if any
// step fails, they run on as if nothing had been.
#include <string>
#include <utility>

#include "state_steps.hpp"

namespace ckpt::state {

namespace {

using Phase = TaskState::Phase;

constexpr std::uint32_t k_requeues_max = 5; // slurmctld may be busy or away

void continue_all(JobState& job, Effects& out) {
    for_running(job, [&](const TaskKey& key, TaskState&) { out.emplace_back(effect::ContinueTree{key}); });
}

void end_all(JobState& job, Effects& out) {
    for_running(job, [&](const TaskKey& key, TaskState& task) {
        task.phase = Phase::ended;
        out.emplace_back(effect::KillTree{key});
    });
}

} // namespace

void leave(JobState& job, Effects& out) {
    const std::uint32_t stood_at = std::exchange(job.stood_at, 0);
    if (stood_at == 0 || stood_at != job.saved || is_app(job)) return let_shims_leave(job, out);
    job.completing = true; // the shims leave when that is on record
    out.emplace_back(effect::RecordStop{stood_at});
}

void on(JobState& job, const event::LimitNear& /*e*/, Effects& out) {
    if (job.ending || job.completing || job.orphaned || job.standing) return;
    out.emplace_back(effect::AskLimit{});
}

void on(JobState& job, const event::LimitKnown& e, Effects& out) {
    using Limit = event::LimitKnown::Limit;
    if (job.ending || job.completing || job.standing || e.limit == Limit::over) return;
    if (e.limit == Limit::later) {
        out.emplace_back(effect::ArmLimit{});
        return;
    }
    make_way(job, out);
    // Who cannot be requeued has its own way with the SIGTERM; what is saved serves another job of the
    // user's.
    if (take_generation(job, Reason::time_limit, e.can_requeue, out)) return;
    job.limit_waits = job.taking.has_value() && e.can_requeue;
}

void leave_standing(JobState& job, std::string line, Effects& out) {
    if (std::exchange(job.standing, false)) {
        out.emplace_back(effect::Say{std::move(line)});
        end_all(job, out);
        return leave(job, out);
    }
    if (job.final_taken) leave(job, out);
}

void stand_no_more(JobState& job, Effects& out) {
    job.standing = false;
    job.stood_at = 0;
    continue_all(job, out);
    out.emplace_back(effect::ArmInterval{});
    if (job.stands_for != Reason::time_limit && job.plan.on.value.has(Trigger::timelimit))
        out.emplace_back(effect::ArmLimit{}); // it may have come near meanwhile
    if (is_app(job)) release_held_end(job, out);
}

void settle_standing(JobState& job, Effects& out) {
    if (!job.cause) return;
    // Whoever cancels a job that was to be vacated wants less than that.
    const bool vacates = job.stands_for == Reason::vacate && *job.cause == Cause::cancelled;
    const bool moves = vacates || (moves_on(job, *job.cause) && wants_final(job, *job.cause));
    if (!moves && job.requeue_runs) return; // the SIGTERM may be that of our own requeue: its answer decides
    job.standing = false;
    if (!moves) {
        job.stood_at = 0;
        continue_all(job, out);
        relay_all(job, out);
        return run_on(job, *job.cause, out);
    }
    end_all(job, out);
    job.final_taken = true; // whatever remains to be done for it is done as for any last generation
    if (job.committing.empty() && !job.requeue_runs) leave(job, out);
}

void on(JobState& job, const event::RequeueEnded& e, Effects& out) {
    if (!std::exchange(job.requeue_runs, false)) return;
    if (job.standing && e.error) {
        complain(job, *e.error, "the job runs on", out);
        answer(job, 0, e.error, out);
        job.requeues = 0; // its end, should one come, is another matter
        return job.cause ? settle_standing(job, out) : stand_no_more(job, out);
    }
    if (e.error && job.cause && needs_requeue(job, *job.cause) && job.requeues < k_requeues_max)
        return ask_requeue(job, out);
    if (e.error) complain(job, *e.error, "it is not requeued", out);
    answer(job, job.saved, e.error, out);
    leave_standing(job,
                   std::string("the job is requeued ") +
                       (job.stands_for == Reason::time_limit ? "before its time limit" : "on demand") +
                       " and will go on from generation " + std::to_string(job.saved),
                   out);
}

} // namespace ckpt::state
