// SPDX-License-Identifier: GPL-2.0-or-later
// What somebody entitled asks for: a generation with which the job runs on, is requeued, or gives its nodes
// up for good; and that there be none for a while.
#include <utility>

#include "state_steps.hpp"

namespace ckpt {

Error switched_off(const JobState& job) {
    return {Code::option_conflict, "checkpoints of this job are switched off",
            "`sckpt enable " + std::to_string(job.job_id) + "` switches them on", 0};
}

} // namespace ckpt

namespace ckpt::state {

namespace {

Error busy() {
    return {Code::busy, "a checkpoint of this job is under way or the job is ending", "try again in a moment",
            0};
}

Error nothing_runs() {
    return {Code::not_found, "nothing of this job that can be checkpointed runs on this node", "", 0};
}

} // namespace

void answer(JobState& job, std::uint32_t generation, std::optional<Error> error, Effects& out) {
    if (!std::exchange(job.on_demand_waits, false)) return;
    out.emplace_back(effect::AnswerOnDemand{generation, std::move(error)});
}

void refuse_what_was_asked(JobState& job, Effects& out) {
    answer(job, 0, busy(), out);
}

bool take_what_was_asked(JobState& job, Reason reason, Effects& out) {
    if (take_generation(job, reason, is_last(reason), out)) return true;
    answer(job, 0, job.switched_off ? switched_off(job) : nothing_runs(), out);
    return false;
}

void on(JobState& job, const event::OnDemand& e, Effects& out) {
    const bool is_busy = job.ending || job.completing || job.standing || job.on_demand_waits;
    if (!is_busy && take_generation(job, e.reason, is_last(e.reason), out)) {
        job.on_demand_waits = e.is_awaited;
        return;
    }
    const bool soon = job.taking ? job.taking->reason == Reason::interval : is_coming(job);
    if (!is_busy && !job.switched_off && soon) {
        job.on_demand_waits = e.is_awaited;
        job.asked_next = e.reason;
        return;
    }
    if (!e.is_awaited) return;
    const Error error = job.switched_off        ? switched_off(job)
                        : is_busy || job.taking ? busy()
                                                : nothing_runs();
    out.emplace_back(effect::AnswerOnDemand{0, error});
}

// What is on its way goes on; what is due while they are off is left out.
void on(JobState& job, const event::Switched& e, Effects& out) {
    if (std::exchange(job.switched_off, !e.on) == !e.on) return;
    out.emplace_back(effect::Say{e.on ? "checkpoints of this job are switched on again"
                                      : "checkpoints of this job are switched off until `sckpt enable`",
                                 true});
}

void ask_to_leave(JobState& job, Effects& out) {
    if (job.stands_for != Reason::vacate) return ask_requeue(job, out);
    job.requeue_runs = true;
    out.emplace_back(effect::CancelJob{});
}

void on(JobState& job, const event::CancelEnded& e, Effects& out) {
    if (!std::exchange(job.requeue_runs, false)) return;
    if (job.standing && e.error) {
        complain(job, *e.error, "the job runs on", out);
        answer(job, 0, e.error, out);
        return job.cause ? settle_standing(job, out) : stand_no_more(job, out);
    }
    answer(job, job.saved, std::nullopt, out);
    if (is_app(job))
        return leave_standing(
            job, "the job gives its nodes up; the program has saved generation " + std::to_string(job.saved),
            out);
    leave_standing(job,
                   "the job gives its nodes up; `sckpt restart " + std::to_string(job.job_id) +
                       "` goes on from generation " + std::to_string(job.saved),
                   out);
}

} // namespace ckpt::state
