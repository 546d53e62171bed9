// SPDX-License-Identifier: GPL-2.0-or-later
// How a job ends: Slurm's SIGTERM and its cause, the application's own end, the epilog.
#include <sys/wait.h>

#include <csignal>
#include <utility>

#include "state_steps.hpp"

namespace ckpt::state {

namespace {

using Phase = TaskState::Phase;

bool any_running(JobState& job) {
    bool any = false;
    for_running(job, [&](const TaskKey&, TaskState&) { any = true; });
    return any;
}

// Steps end and the script goes on: only its own end is the job's.
bool script_runs(JobState& job) {
    bool runs = false;
    for_running(job, [&](const TaskKey&, TaskState& task) { runs = runs || task.stand_in == 0; });
    return runs;
}

// Final images exist and the cause is known: commit them and end the trees, or let the trees run on.
void settle_taken(JobState& job, Cause cause, Effects& out) {
    const bool stopped_for_good = moves_on(job, cause) && wants_final(job, cause);
    for_running(job, [&](const TaskKey& key, TaskState& task) {
        if (stopped_for_good) {
            task.phase = Phase::ended;
            out.emplace_back(effect::KillTree{key});
        } else {
            out.emplace_back(effect::ContinueTree{key});
        }
    });
    for (auto& [generation, commit] : job.committing)
        if (commit.reason == Reason::forced_end) {
            if (wants_final(job, cause))
                out.emplace_back(
                    effect::Commit{generation, Reason::forced_end, stopped_for_good && !job.ran_on});
            else
                out.emplace_back(effect::DiscardImages{generation, false});
        }
    if (!wants_final(job, cause))
        std::erase_if(job.committing, [](const auto& c) { return c.second.reason == Reason::forced_end; });
    if (stopped_for_good) return; // the shims leave once the commit has ended
    job.final_taken = false;
    out.emplace_back(effect::Proceed{});
    let_shims_leave(job, out); // of what has ended meanwhile
    relay_all(job, out);
    run_on(job, cause, out);
}

void tell_script(JobState& job, bool ends, Effects& out) {
    if (std::exchange(job.script_is_told, ends) != ends) out.emplace_back(effect::TellJobEnds{ends});
}

// The shims leave when the record is durable.
void record_failure(JobState& job, const Failure& failure, int wait_status, Effects& out) {
    job.completing = true;
    const bool again = job.before && job.before->kind == failure.kind &&
                       job.before->signal == failure.signal && job.saved == job.restored_from;
    if (const auto line = failure_line(failure, job.job_id, job.saved, job.orphaned, again))
        out.emplace_back(effect::Say{one_line(*line)});
    out.emplace_back(effect::RecordFailure{wait_status, failure});
}

// Nothing of it is in the store, and the program decides from what it goes on.
void say_failure(const JobState& job, const Failure& failure, Effects& out) {
    if (const auto line = failure_line(failure, job.job_id, job.saved, job.orphaned, false))
        out.emplace_back(effect::Say{one_line(*line)});
}

// A task has ended by itself.
void note_failure(JobState& job, int wait_status, const MemoryFacts& memory) {
    if (!job.failure) job.failure = failure_of(wait_status, memory);
}

// Who has killed an srun in an allocation has ended its step, and would have without us. Slurm has killed the
// real one together with the step that stands for the script.
void end_steps(JobState& job, Effects& out) {
    for_running(job, [&](const TaskKey& key, const TaskState& task) {
        if (task.stand_in != 0) out.emplace_back(effect::KillTree{key});
    });
}

// One that was never heard of has run without us all the same when it has an exit status. Without one it was
// killed on its way, as by the SIGTERM of a requeue, and begins when the job goes on.
void note_exit(TaskState& task, const event::TaskGone& e) {
    const bool exited = e.wait_status && WIFEXITED(*e.wait_status);
    const bool has_run = task.phase == Phase::running ||
                         (task.phase == Phase::registered && (task.may_run || task.without_us || exited));
    if (has_run && !task.exit_status) task.exit_status = e.wait_status.value_or(SIGKILL);
}

} // namespace

bool wants_final(const JobState& job, Cause cause) {
    const Triggers on = job.plan.on.value;
    switch (cause) {
    case Cause::requeued:
        return on.has(Trigger::requeue);
    case Cause::preempted:
    case Cause::preempted_for_good:
        return on.has(Trigger::preempt);
    case Cause::timelimit:
        return on.has(Trigger::timelimit);
    case Cause::cancelled:
        return on.has(Trigger::cancel);
    case Cause::unknown:
        // Keep what there is; the job is not requeued for it. A program that saves itself ends for it.
        return !is_app(job);
    case Cause::running:
        return false; // somebody's `scancel --signal=TERM`: the application's business
    }
    return false;
}

bool needs_requeue(const JobState& job, Cause cause) {
    return job.can_requeue && (cause == Cause::timelimit || cause == Cause::preempted_for_good);
}

bool moves_on(const JobState& job, Cause cause) {
    return cause == Cause::requeued || cause == Cause::preempted || needs_requeue(job, cause);
}

void ask_requeue(JobState& job, Effects& out) {
    job.requeue_runs = true;
    out.emplace_back(effect::RequeueJob{job.requeues++ > 0});
}

void requeue_after_all(JobState& job, Effects& out) {
    if (!job.cause || !is_settled(job) || job.requeues > 0 || job.saved == 0) return;
    if (needs_requeue(job, *job.cause) && wants_final(job, *job.cause)) ask_requeue(job, out);
}

void relay_all(JobState& job, Effects& out) {
    for (auto& [key, task] : job.tasks)
        if (task.term_held) {
            task.term_held = false;
            out.emplace_back(effect::RelayTerm{key});
        }
    tell_script(job, false, out);
}

void run_on(JobState& job, Cause cause, Effects& out) {
    const bool of_script = job.script_is_asked;
    if (cause == Cause::running) forget_ending(job);
    if (cause != Cause::running && cause != Cause::unknown) return;
    if (!of_script)
        return; // its timers run: steps that are ended one after the other would put them off for ever
    out.emplace_back(effect::ArmInterval{});
    if (job.plan.on.value.has(Trigger::timelimit)) out.emplace_back(effect::ArmLimit{});
}

void let_shims_leave(JobState& job, Effects& out) {
    for (auto& [key, task] : job.tasks)
        if (task.shim_present && task.phase == Phase::ended) {
            task.term_held = false;
            out.emplace_back(effect::LetShimLeave{key});
        }
}

void forget_ending(JobState& job) {
    job.ending = job.final_wanted = job.final_tried = job.final_taken = job.ran_on = job.can_requeue = false;
    job.limit_waits = false;
    job.script_is_asked = false;
    job.requeues = 0;
    job.cause.reset();
}

bool is_settled(const JobState& job) {
    return job.ending && job.cause && !job.taking && !job.final_taken;
}

void settle_ending(JobState& job, Effects& out) {
    if (job.final_wanted || job.cause) make_way(job, out);
    if (job.taking) return; // when it ends we are called again
    if (job.standing) return settle_standing(job, out);
    if (job.final_taken) {
        if (job.cause) settle_taken(job, *job.cause, out);
        return; // trees stand still until the cause is known; its deadline is the helper's
    }
    // A step that is about to start shows in a moment whether it does; what is to be restored may take
    // longer.
    if (job.final_wanted && is_coming(job) && job.expected.empty() && !is_starting(job)) return;
    if (job.final_wanted) {
        job.final_wanted = false;
        job.final_tried = true;
        if (take_generation(job, Reason::forced_end, true, out)) return;
    }
    if (!job.cause) return;
    relay_all(job, out); // no final generation: not wanted, failed, or nothing to dump
    requeue_after_all(job, out);
    run_on(job, *job.cause, out);
}

void on(JobState& job, const event::TermArrived& e, Effects& out) {
    TaskState& task = job.tasks[e.task];
    if (is_settled(job) && job.cause == Cause::unknown) forget_ending(job); // the last one ended nothing
    if (task.phase != Phase::running || is_settled(job)) {
        out.emplace_back(effect::RelayTerm{e.task});
        return;
    }
    task.term_held = true;
    job.script_is_asked = job.script_is_asked || task.stand_in == 0;
    out.emplace_back(effect::HoldBackTerm{e.task});
    if (task.stand_in != 0) tell_script(job, true, out);
    if (job.ending) return;
    job.ending = true;
    job.cause.reset();
    out.emplace_back(effect::AskCause{});
}

void on(JobState& job, const event::CauseGraceElapsed& /*e*/, Effects& out) {
    if (!job.ending || job.cause || job.standing || is_app(job)) return;
    job.final_wanted = !job.final_tried;
    settle_ending(job, out);
}

void on(JobState& job, const event::CauseKnown& e, Effects& out) {
    if (!job.ending || job.cause) return;
    job.cause = e.cause;
    job.can_requeue = e.can_requeue;
    job.final_wanted = !job.final_tried && wants_final(job, e.cause);
    settle_ending(job, out);
}

bool records_end(JobState& job, int wait_status, Effects& out) {
    if (script_runs(job)) return false;
    if (job.failure && is_app(job)) {
        say_failure(job, *job.failure, out);
        return false;
    }
    if (job.failure) {
        record_failure(job, *job.failure, wait_status, out);
        return true;
    }
    // Another signal is no end of its own, as when a node goes down. What was saved must stay usable then.
    if (!WIFEXITED(wait_status)) return false;
    job.completing = true;
    out.emplace_back(effect::RecordCompletion{wait_status});
    return true; // the shim leaves when the record is durable
}

void on(JobState& job, const event::TreeExited& e, Effects& out) {
    TaskState& task = job.tasks[e.task];
    const bool by_itself = task.phase == Phase::running && !job.ending && task.stand_in == 0;
    task.phase = Phase::ended;
    task.exit_status = e.wait_status;
    if (job.taking && job.taking->leaving.contains(e.task)) exited_during_cut(job, e.task, out);
    // Somebody has made it run on, and it has ended.
    if (!any_running(job) && !is_app(job)) job.standing = false;
    if (by_itself && !job.unmanaged) note_failure(job, e.wait_status, e.memory);
    if (app_holds_end(job, e, out)) return;
    if (by_itself && !job.unmanaged && records_end(job, e.wait_status, out)) return;
    if (task.term_held && job.final_taken) return; // ... or when the final generation is
    out.emplace_back(effect::LetShimLeave{e.task});
}

void on(JobState& job, const event::CompletionRecorded& /*e*/, Effects& out) {
    job.completing = false;
    for (auto& [key, task] : job.tasks)
        if (task.phase == Phase::ended) out.emplace_back(effect::LetShimLeave{key});
}

void on(JobState& job, const event::TaskGone& e, Effects& out) {
    const auto found = job.tasks.find(e.task);
    if (found == job.tasks.end()) return;
    found->second.shim_present = false;
    found->second.term_held = false;
    if (found->second.phase != Phase::ended) {
        // The kernel's killer may have taken the shim too, or everything at once (memory.oom.group).
        const bool out_of_memory = found->second.phase == Phase::running && !job.ending &&
                                   found->second.stand_in == 0 && e.memory.out_of_memory;
        note_exit(found->second, e);
        found->second.phase = Phase::ended;
        if (out_of_memory && !job.unmanaged) {
            note_failure(job, SIGKILL, e.memory);
            if (job.failure && !script_runs(job)) {
                if (is_app(job))
                    say_failure(job, *job.failure, out);
                else
                    record_failure(job, *job.failure, SIGKILL, out);
            }
        }
        out.emplace_back(effect::KillTree{e.task}); // e.g. a restored tree whose shim was killed
        // Nobody else will report its dump any more.
        if (job.taking && job.taking->missing.contains(e.task) && is_app(job))
            app_task_gone(job, e.task, out);
        else if (job.taking && job.taking->missing.contains(e.task))
            on(job, event::DumpEnded{e.task, Error{Code::not_found, "the task has ended", "", 0}, 0, 0}, out);
    }
    if (job.taking && job.taking->leaving.contains(e.task)) exited_during_cut(job, e.task, out);
    if (job.in_allocation && found->second.stand_in == 0) end_steps(job, out);
    if (!any_running(job) && !is_app(job)) job.standing = false;
}

void on(JobState& job, const event::ConstraintSet& /*e*/, Effects& /*out*/) {
    job.constraint_runs = false;
}

void on(JobState& job, const event::EpilogArrived& /*e*/, Effects& /*out*/) {
    job.epilog_waits = true;
}

void on(JobState& job, const event::EpilogLimitReached& /*e*/, Effects& out) {
    if (!job.epilog_waits) return;
    job.epilog_waits = false;
    out.emplace_back(effect::ReleaseEpilog{has_last_generation_under_way(job)});
}

} // namespace ckpt::state
