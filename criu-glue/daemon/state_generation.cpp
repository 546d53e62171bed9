// SPDX-License-Identifier: GPL-2.0-or-later
// How a generation comes about: every running task is dumped, then all of it is committed, or none of it.
#include "state_steps.hpp"

#include <algorithm>
#include <utility>

#include "text/text.hpp"

namespace ckpt::state {

namespace {

std::string after_failure(const JobState& job, Reason reason) {
    if (reason != Reason::forced_end) return "the job runs on";
    return job.saved > 0 ? "generation " + std::to_string(job.saved) + " stands"
                         : "nothing of the job is saved";
}

// Where the next incarnation finds it (state_start.cpp): Slurm may empty the output in which it is said.
void nothing_saved(JobState& job, const Error& error, Effects& out) {
    if (job.saved > 0) return;
    job.said_unsaved = true;
    out.emplace_back(effect::Comment{std::string(k_no_checkpoint) + one_line(error), true});
}

void generation_failed(JobState& job, const Taking& taking, Effects& out) {
    out.emplace_back(effect::DiscardImages{taking.generation, false});
    if (taking.leave_stopped) {
        for_running(job,
                    [&](const TaskKey& key, TaskState&) { out.emplace_back(effect::ContinueTree{key}); });
        if (is_app(job)) job.last_complaint.reset(); // whatever was said of one at an interval
    }
    // A dump that the end of the job overtakes is no trouble.
    if (taking.error && taking.error->code != Code::not_found) {
        complain(job, *taking.error, after_failure(job, taking.reason), out, is_asked_for(taking.reason));
        nothing_saved(job, *taking.error, out);
    }
    if (is_asked_for(taking.reason)) answer(job, 0, taking.error, out);
    if (taking.leave_stopped && is_app(job)) release_held_end(job, out);
}

std::string saved_line(const JobState& job, const Committing& done, std::uint64_t stored_bytes) {
    const std::string generation = std::string(k_saved) + std::to_string(done.generation) + " saved";
    if (is_app(job)) return generation + " by the program";
    return generation + ", " + text::bytes(done.image_bytes) + " -> " + text::bytes(stored_bytes);
}

// A generation is through; what has waited for it comes next. False when nothing has.
bool take_what_waits(JobState& job, Effects& out) {
    const auto asked = std::exchange(job.asked_next, std::nullopt);
    const bool limit = std::exchange(job.limit_waits, false) && !job.standing;
    if (asked && (job.ending || limit)) refuse_what_was_asked(job, out);
    if (job.ending) {
        settle_ending(job, out);
        return true;
    }
    if (limit) return take_generation(job, Reason::time_limit, true, out);
    return asked && take_what_was_asked(job, *asked, out);
}

void generation_taken(JobState& job, const Taking& taking, Effects& out) {
    job.committing[taking.generation] =
        Committing{taking.generation, taking.reason, taking.frozen_us, taking.image_bytes, taking.exited};
    if (leaves_by_us(taking.reason) && taking.leave_stopped) {
        job.standing = true;
        job.stands_for = taking.reason;
        job.stood_at = taking.generation;
        // "false": should slurmctld refuse, the trees run on, and what they write then is behind the cut.
        out.emplace_back(effect::Commit{taking.generation, taking.reason, false});
        return;
    }
    if (taking.leave_stopped) {
        job.final_taken = true; // committed once it is known whether the trees will run on
        return;
    }
    out.emplace_back(effect::Commit{taking.generation, taking.reason, false});
}

// A requeue that has not come about, since something else came first, is not said to have.
void answer_saved(JobState& job, const Committing& done, const std::optional<Error>& error, Effects& out) {
    const bool requeued = done.reason == Reason::requeue && job.cause && moves_on(job, *job.cause);
    const bool vacated = done.reason == Reason::vacate && job.cause == Cause::cancelled;
    if (error || !leaves_by_us(done.reason) || requeued || vacated)
        return answer(job, done.generation, error, out);
    answer(job, 0,
           Error{Code::busy,
                 "generation " + std::to_string(done.generation) + " is saved, and the job " +
                     (job.cause ? "ends in another way" : "runs on"),
                 "see its output", 0},
           out);
}

// Everything of the job is in the store, or will not be; its trees have ended.
void end_after_commit(JobState& job, Effects& out) {
    // Without anything saved it would start from the beginning, and come to the same end.
    if (job.cause && needs_requeue(job, *job.cause) && job.saved > 0) return ask_requeue(job, out);
    leave(job, out);
}

} // namespace

void take_what_is_due(JobState& job, Effects& out) {
    if (job.taking || is_coming(job)) return;
    if (job.ending && job.final_wanted) settle_ending(job, out);
    if (const auto asked = std::exchange(job.asked_next, std::nullopt)) {
        if (job.ending)
            refuse_what_was_asked(job, out);
        else
            take_what_was_asked(job, *asked, out);
    }
    if (!job.ending && std::exchange(job.interval_next, false) && !job.taking)
        on(job, event::IntervalElapsed{}, out);
}

void give_up_what_is_due(JobState& job, const Error& error, Effects& out) {
    const bool is_last = std::exchange(job.final_wanted, false);
    complain(job, error, after_failure(job, is_last ? Reason::forced_end : Reason::interval), out);
    if (std::exchange(job.asked_next, std::nullopt)) answer(job, 0, error, out);
    if (!is_last) return;
    job.final_tried = true;
    nothing_saved(job, error, out);
    settle_ending(job, out);
}

bool take_generation(JobState& job, Reason reason, bool leave_stopped, Effects& out) {
    if (job.taking || job.orphaned || job.switched_off || is_coming(job)) return false;
    Taking taking;
    taking.reason = reason;
    taking.leave_stopped = leave_stopped;
    bool has_script = false; // without it nothing could go on from there
    for_running(job, [&](const TaskKey& key, TaskState& task) {
        taking.missing.insert(key);
        has_script = has_script || task.stand_in == 0;
    });
    if (!has_script) return false;
    taking.generation = ++job.last_generation;
    // Slurm's signals come with a SIGCONT, and to each node at its own time: a tree that another node's
    // SIGTERM has brought to a stop would run on behind its last checkpoint.
    if (leave_stopped)
        for (const TaskKey& key : taking.missing)
            out.emplace_back(effect::Stand{key});
    if (is_app(job)) {
        ask_app(job, taking, out);
        job.taking = std::move(taking);
        return true;
    }
    const std::optional<Error> refused = why_no_cut(job);
    const bool together = taking.missing.size() > 1;
    for (const TaskKey& key : taking.missing) {
        taking.gated = taking.gated || job.tasks.at(key).gated;
        out.emplace_back(effect::Dump{key, taking.generation, reason, leave_stopped, together, refused});
    }
    job.taking = std::move(taking);
    return true;
}

void on(JobState& job, const event::IntervalElapsed& /*e*/, Effects& out) {
    // Nobody could say why a SIGTERM came, and a whole interval later the job still runs.
    if (is_settled(job) && job.cause == Cause::unknown) forget_ending(job);
    if (job.ending) job.interval_next = true; // that may be the end of a step only
    if (job.ending || job.completing || job.standing) return;
    if (is_coming(job) && !job.taking) {
        job.interval_next = true;
        return;
    }
    // Back-pressure: while a commit is on its way the next periodic generation waits a whole interval.
    if (!job.committing.empty() || !take_generation(job, Reason::interval, false, out))
        out.emplace_back(effect::ArmInterval{});
}

void on(JobState& job, const event::DumpEnded& e, Effects& out) {
    if (!job.taking || (e.generation != 0 && e.generation != job.taking->generation)) return;
    if (job.taking->missing.erase(e.task) == 0) return;
    Taking& taking = *job.taking;
    taking.image_bytes += e.image_bytes;
    taking.frozen_us = std::max(taking.frozen_us, e.frozen_us);
    if (e.error && is_step(job, e.task) && taking.stage == Taking::Stage::stopping && !taking.error &&
        e.error->code == Code::not_found)
        exited_during_cut(job, e.task, out);
    else
        dump_of_cut_ended(taking, e, out);
    if (!taking.missing.empty()) return;

    const Taking taken = std::move(taking);
    job.taking.reset();
    if (taken.gated && (taken.error || !taken.leave_stopped)) out.emplace_back(effect::Proceed{});
    if (taken.error)
        generation_failed(job, taken, out);
    else
        generation_taken(job, taken, out);

    if (take_what_waits(job, out)) return;
    out.emplace_back(effect::ArmInterval{});
}

void on(JobState& job, const event::CommitEnded& e, Effects& out) {
    const auto found = job.committing.find(e.generation);
    if (found == job.committing.end()) return;
    const Committing done = found->second;
    job.committing.erase(found);
    out.emplace_back(effect::DiscardImages{e.generation, !e.error});
    // When the job has ended meanwhile, and its end is on record, nobody needs that generation any more.
    bool is_needed = is_last(done.reason);
    for_running(job, [&](const TaskKey&, TaskState&) { is_needed = true; });
    if (e.error && is_needed) {
        const std::string lost = "generation " + std::to_string(e.generation) + " was not saved";
        complain(job, *e.error, job.saved > 0 ? lost + ", earlier ones stand" : lost, out,
                 is_asked_for(done.reason));
        nothing_saved(job, *e.error, out);
    }
    if (!e.error) {
        job.last_complaint.reset();
        job.last_error.clear();
        // It was looked at as a restore looks at it (engine/dump.cpp:check_images), which is said once.
        const bool is_first = std::exchange(job.saved, e.generation) == 0;
        const std::string saved = saved_line(job, done, e.stored_bytes);
        out.emplace_back(effect::Say{is_app(job) ? saved
                                                 : saved + ", paused " + text::duration_us(done.frozen_us) +
                                                       (is_first ? "; the job can be restored" : ""),
                                     done.reason == Reason::on_demand});
        // In a mass preemption slurmctld has other things to do; the restore will tell. But the first one is
        // told of always: where the store is not there, nothing else says that the job has any.
        const bool goes_on = job.standing || (job.cause && moves_on(job, *job.cause));
        if (!is_last(done.reason) || !goes_on || is_first)
            out.emplace_back(
                effect::Comment{saved, !std::exchange(job.said_unsaved, false) && !is_last(done.reason)});
    }
    if (job.standing && leaves_by_us(done.reason)) {
        if (!e.error) return ask_to_leave(job, out);
        answer(job, 0, e.error, out);
        return stand_no_more(job, out);
    }
    if (is_asked_for(done.reason)) answer_saved(job, done, e.error, out);
    if (job.final_taken && job.committing.empty()) return end_after_commit(job, out);
    if (!e.error) requeue_after_all(job, out); // its last dump had failed, and nothing was in the store then
}

} // namespace ckpt::state
