// SPDX-License-Identifier: GPL-2.0-or-later
// How a task starts: fresh, from a generation, or not at all. An incarnation after the first never starts
// from zero over the results of an earlier one unless the store says that there is nothing to go on from.
#include "state_steps.hpp"

#include <cerrno>
#include <utility>

namespace ckpt::state {

namespace {

using Phase = TaskState::Phase;

// A slurmctld that is restarted is back by then; one that cannot be asked at all must not keep the job.
constexpr unsigned k_history_questions = 6;

void ask_store(TaskState& task, const effect::Adopt& question, Effects& out) {
    task.phase = Phase::adopting;
    task.asked = question;
    task.asked_again = false;
    task.asked_history = 0;
    out.emplace_back(question);
}

void adopt(TaskState& task, const TaskKey& key, Effects& out) {
    out.emplace_back(effect::HoldBackTerm{key}); // tells the shim that the answer takes a while
    ask_store(task, effect::Adopt{key, 0, 0}, out);
}

// Somebody has killed the worker, such as the kernel for want of memory, or its user. That says nothing about
// the store, and nobody should have to release the job for it; but whatever it was, it may come again.
bool ask_store_again(TaskState& task, const Error& error, Effects& out) {
    if (error.errnum != EPIPE || task.asked_again) return false;
    task.asked_again = true;
    out.emplace_back(task.asked);
    return true;
}

void arm_limit(const JobState& job, Effects& out) {
    if (job.plan.on.value.has(Trigger::timelimit)) out.emplace_back(effect::ArmLimit{});
}

// Every so many restarts the job waits for somebody to look at it; whoever releases it gives it as many
// again.
bool is_due(std::uint32_t count, std::uint32_t limit) {
    return limit > 0 && count > 0 && count % limit == 0;
}

// `is_there`: an earlier checkpoint; else nobody can tell.
std::string cannot_restore(const Error& error, bool is_there) {
    const bool says_all = error.code == Code::restore_impossible || error.code == Code::restore_source ||
                          error.code == Code::node_unfit;
    return (says_all   ? ""
            : is_there ? "an earlier checkpoint cannot be restored on this node: "
                       : "it cannot be told on this node whether there is an earlier checkpoint: ") +
           one_line(error);
}

// `skipped`: what the store has said of those that it has passed over, the oldest last.
std::string none_is_left(const std::string& restore_error, const std::vector<std::string>& skipped = {}) {
    std::string line = "none of the earlier checkpoints can be restored here";
    if (!restore_error.empty()) return line + ": " + restore_error;
    if (!skipped.empty()) line += ": " + skipped.back().substr(0, skipped.back().rfind(" [CKPT-"));
    return one_line({Code::restore_impossible, line, "", 0});
}

// Of a comment as it is shown: "2026-11-26T08:00:00 n1: generation 2 saved".
std::string_view after_time_and_node(std::string_view comment) {
    const std::size_t colon = comment.find(": ");
    return colon == std::string_view::npos ? std::string_view() : comment.substr(colon + 2);
}

Error not_found_again() {
    return {Code::not_found, "ckptd was started anew and does not find the job's namespaces again",
            "the job is checkpointed again from its next start on", 0};
}

} // namespace

void start_fresh(TaskState& task, const TaskKey& key, std::string line, Effects& out) {
    task.phase = Phase::registered; // running once the shim reports TreeStarted
    out.emplace_back(effect::StartTask{key, effect::Start::fresh, std::move(line)});
}

// Under a setting of Slurm with which no job can be checkpointed, the shim would only be in the way.
void start_unmanaged(const Error& why, TaskState& task, const TaskKey& key, Effects& out) {
    task.phase = Phase::registered;
    out.emplace_back(effect::StartTask{
        key, why.code == Code::unsupported_setting ? effect::Start::alone : effect::Start::unmanaged,
        one_line(why) + "; the job runs without checkpoints"});
}

void hold(TaskState& task, const TaskKey& key, const std::string& reason, Effects& out) {
    task.phase = Phase::held;
    out.emplace_back(effect::HoldBackTerm{key}); // tells the shim that the answer takes a while
    out.emplace_back(effect::Say{reason});       // before the hold: its SIGTERM ends the shim
    out.emplace_back(effect::HoldJob{reason});
}

namespace {

void leave_node(JobState& job, TaskState& task, const TaskKey& key, const std::string& reason,
                const std::string& node, Effects& out) {
    if (job.in_allocation) return hold(task, key, reason, out); // it has no other nodes
    task.phase = Phase::held;
    out.emplace_back(effect::HoldBackTerm{key});
    if (std::exchange(job.leaves, node)) return; // a task of the job has asked for it
    out.emplace_back(
        effect::Say{reason + "; the job is requeued without " + (node.empty() ? "this node" : node)});
    out.emplace_back(effect::RequeueElsewhere{reason, node});
}

// Another node may do better.
bool is_of_node(Code code) {
    switch (code) {
    case Code::restore_failed:
    case Code::restore_impossible:
    case Code::store_unwritable:
    case Code::store_key:
    case Code::os:
    case Code::policy_syntax:
    case Code::policy_value:
    case Code::policy_unreadable:
        return true;
    default:
        return false;
    }
}

} // namespace

void hold_or_leave(JobState& job, TaskState& task, const TaskKey& key, const Trouble& trouble, Effects& out) {
    const bool leaves = trouble.code == Code::node_unfit || (job.may_leave && is_of_node(trouble.code));
    if (leaves) return leave_node(job, task, key, trouble.line, trouble.node, out);
    hold(task, key, trouble.line, out);
}

void on(JobState& job, const event::TaskRegistered& e, Effects& out) {
    TaskState& task = job.tasks.try_emplace(e.task).first->second;
    task.stand_in = e.stand_in;
    task.step = e.step;
    task.may_run = e.is_taken_over;
    task.over = e.stand_in != 0 && job.over.contains(e.stand_in);
    if (has_own_interval(job, task)) out.emplace_back(effect::ArmInterval{true});
}

void on(JobState& job, const event::ShimArrived& e, Effects& out) {
    TaskState& task = job.tasks[e.task];
    task.shim_present = true;
    task.is_late = task.may_run = task.without_us = false;
    task.gated = e.gated;
    if (task.phase == Phase::held) { // it has lost its connection, and not its hold
        out.emplace_back(effect::HoldBackTerm{e.task});
        return;
    }
    if (task.stand_in != 0) return step_arrived(job, e.task, out);
    const bool restarted = job.restart_count > 0 || job.plan.restore.value.kind == Restore::Kind::job;
    if (job.unmanaged || job.orphaned) {
        const Error why = job.unmanaged ? *job.unmanaged : not_found_again();
        const bool never = job.unmanaged && job.plan.restore.value.kind == Restore::Kind::never;
        if (!restarted || job.never_saved || never) return start_unmanaged(why, task, e.task, out);
        // Under such a setting no incarnation may ever have been saved; the store knows.
        if (why.code == Code::unsupported_setting && is_app(job))
            return start_unmanaged(why, task, e.task, out);
        if (why.code == Code::unsupported_setting) return adopt(task, e.task, out);
        return hold_or_leave(job, task, e.task, {why.code, cannot_restore(why, false)}, out);
    }
    if (is_due(job.restart_count, job.plan.max_restarts.value + 1)) {
        hold(task, e.task,
             "restarted " + std::to_string(job.plan.max_restarts.value) +
                 " times, which is the limit (--checkpoint-max-restarts); `scontrol release` lets it go on",
             out);
        return;
    }
    if (is_app(job)) return open_app_dir(task, e.task, out);
    if (!restarted || job.plan.restore.value.kind == Restore::Kind::never) {
        start_fresh(task, e.task, {}, out);
        return;
    }
    adopt(task, e.task, out);
}

void on(JobState& job, const event::AdoptEnded& e, Effects& out) {
    using Found = event::AdoptEnded::Found;
    TaskState& task = job.tasks[e.task];
    if (task.phase != Phase::adopting) return;
    if (e.error && ask_store_again(task, *e.error, out)) return;
    if (e.newest_generation > job.last_generation) job.last_generation = e.newest_generation;
    job.before = e.last_end.failure;
    if (e.found == Found::generation) job.expected = e.steps;
    for (const std::string& line : e.skipped)
        out.emplace_back(effect::Say{line});
    // Where no job could ever be checkpointed there may be neither a store nor a key.
    const bool never_used = job.unmanaged && e.error && e.error->errnum == ENOENT;
    if (never_used) return start_unmanaged(*job.unmanaged, task, e.task, out);
    if (e.error)
        return hold_or_leave(job, task, e.task, {e.error->code, cannot_restore(*e.error, false)}, out);
    if (job.unmanaged && !e.end_again)
        return e.found == Found::nothing || e.found == Found::completed
                   ? start_unmanaged(*job.unmanaged, task, e.task, out)
                   : hold(task, e.task, cannot_restore(*job.unmanaged, e.found != Found::nothing), out);
    // Nobody has asked for anything else than to go on.
    const bool has_none = e.found == Found::nothing || e.found == Found::completed;
    if (job.in_allocation && has_none) return hold(task, e.task, none_is_left(job.restore_error), out);
    switch (e.found) {
    case Found::nothing:
        task.asked_history = 1;
        out.emplace_back(effect::AskHistory{e.task});
        return;
    case Found::completed:
        if (e.end_again) {
            task.phase = Phase::ended;
            out.emplace_back(effect::StartTask{e.task, effect::Start::ended,
                                               "the job had run to its end before; Slurm requeued it for its "
                                               "earlier preemption, and nothing is run",
                                               *e.end_again});
            return;
        }
        return start_fresh(task, e.task, "the job had run to its end before; starting from the beginning",
                           out);
    case Found::unusable: // what does not verify is no trouble of the node's
        return hold_or_leave(
            job, task, e.task,
            {job.restore_code.value_or(Code::store_corrupt), none_is_left(job.restore_error, e.skipped)},
            out);
    case Found::generation:
        if (const auto again = same_end_again(e.last_end, e.memory_limit, job.job_id, e.generation))
            return hold(task, e.task, one_line(*again), out);
        if (is_due(e.adopted_before, job.no_progress_limit))
            return hold(
                task, e.task,
                "restored " + std::to_string(e.adopted_before) +
                    " times from the same checkpoint without getting to a new one; see the end of its "
                    "output, then `scontrol release` lets it go on",
                out);
        task.phase = Phase::restoring;
        out.emplace_back(effect::Restore{e.task});
        return;
    }
}

// A store that is not mounted looks like one in which nothing of the job ever was. What slurmctld was told of
// the job says otherwise; held once, it is not held for that again.
void on(JobState& job, const event::HistoryKnown& e, Effects& out) {
    TaskState& task = job.tasks[e.task];
    if (task.phase != Phase::adopting || task.asked_history == 0) return;
    if (e.error && task.asked_history < k_history_questions) {
        ++task.asked_history;
        out.emplace_back(effect::AskHistory{e.task, true});
        return;
    }
    task.asked_history = 0;
    const std::string_view comment = after_time_and_node(e.comment);
    if (comment.starts_with(k_saved) || comment.starts_with(k_restored))
        return hold_or_leave(
            job, task, e.task,
            {Code::restore_impossible,
             one_line({Code::restore_impossible,
                       "the store has nothing of this job on this node, but Slurm's record of it says: " +
                           e.comment,
                       "see whether the store is mounted; released as it is, the job starts from the "
                       "beginning",
                       0})},
            out);
    std::string line = "no checkpoint was saved before the requeue";
    if (comment.starts_with(k_no_checkpoint))
        line += " (" + std::string(comment.substr(k_no_checkpoint.size())) + ")";
    start_fresh(task, e.task, line + "; starting from the beginning", out);
}

void on(JobState& job, const event::RestoreEnded& e, Effects& out) {
    if (is_step(job, e.task)) return step_restored(job, e, out);
    TaskState& task = job.tasks[e.task];
    if (task.phase != Phase::restoring) return;
    if (e.error) {
        job.expected.clear();
        job.restore_error = one_line(*e.error);
        job.restore_code = e.error->code;
        if (e.error->code == Code::node_unfit) // no generation is the worse for it
            return leave_node(job, task, e.task, job.restore_error, {}, out);
        if (e.from_copy) {
            out.emplace_back(
                effect::Say{job.restore_error + "; trying the same checkpoint as it is in the store"});
            return ask_store(task, task.asked, out);
        }
        // the generation before this one may still restore; the store knows which that is
        out.emplace_back(effect::Say{job.restore_error + "; trying the checkpoint before it"});
        ask_store(task, effect::Adopt{e.task, e.incarnation, e.generation}, out);
        return;
    }
    task.phase = Phase::running;
    job.saved = job.restored_from = e.generation;
    for (const std::string& line : e.complaints)
        out.emplace_back(effect::Say{line});
    const std::string restored = std::string(k_restored) + std::to_string(e.generation) +
                                 (e.of_job != 0 ? " of job " + std::to_string(e.of_job) : "") + " (" + e.age +
                                 " old)";
    out.emplace_back(effect::StartTask{e.task, effect::Start::restored,
                                       restored + (e.node.empty() ? "" : " on " + e.node)});
    out.emplace_back(effect::Comment{restored, false});
    out.emplace_back(effect::ArmInterval{});
    arm_limit(job, out);
}

void on(JobState& job, const event::ShimReturned& e, Effects& out) {
    TaskState& task = job.tasks[e.task];
    if (task.phase == Phase::ended) {
        task.shim_present = true; // it learns when it may leave
        if (!task.exit_status)
            out.emplace_back(effect::KillTree{e.task}); // on another node it may not have been told
    }
    const bool was_away = task.phase == Phase::running && !task.shim_present;
    if (task.phase != Phase::registered && !was_away) return;
    task.phase = Phase::running;
    task.shim_present = true;
    task.without_us = false;
    task.gated = e.gated;
    // Nobody has stopped it.
    if (!was_away && job.taking && !job.taking->missing.contains(e.task) && !job.taking->error)
        job.taking->error = Error{Code::busy, "a step has come back during the checkpoint", "", 0};
    out.emplace_back(effect::WelcomeBack{e.task, job.orphaned ? one_line(not_found_again()) : std::string()});
    if (!job.orphaned && !was_away && task.stand_in == 0) {
        out.emplace_back(effect::ArmInterval{});
        arm_limit(job, out);
    }
    if (!e.term_delivered) return;
    // Some of the tree may have followed it, and what is dumped now would follow it when it is restored:
    // there is nothing to save any more. But it may be Slurm's end.
    job.final_tried = true;
    job.final_wanted = false;
    if (job.taking && job.taking->leave_stopped && !job.taking->error)
        job.taking->error = Error{Code::busy, "the program has its SIGTERM already", "", 0};
    if (job.ending) return;
    job.ending = true;
    job.script_is_asked = task.stand_in == 0;
    out.emplace_back(effect::AskCause{});
}

void on(JobState& job, const event::ShimAway& e, Effects& out) {
    const auto found = job.tasks.find(e.task);
    if (found == job.tasks.end()) return;
    TaskState& task = found->second;
    // What it waits for is begun anew when it asks again.
    if (task.phase == Phase::adopting || task.phase == Phase::restoring)
        return on(job, event::TaskGone{e.task, {}}, out);
    const bool was_told = task.phase == Phase::registered && task.shim_present && !task.waits_for_cut;
    task.may_run = task.may_run || was_told;
    task.shim_present = false;
    task.term_held = false;                 // it has delivered it, and made the trees run on
    if (task.phase == Phase::ended) return; // or had none any more, and leaves as it was told to
    if (task.stand_in == 0) job.script_is_told = false;
    if (job.final_taken) job.ran_on = true;
    if (job.standing) stand_no_more(job, out);
}

void on(JobState& job, const event::TreeStarted& e, Effects& out) {
    TaskState& task = job.tasks[e.task];
    if (task.phase != Phase::registered) return;
    task.phase = Phase::running;
    if (task.stand_in != 0) return; // the script's timers run
    out.emplace_back(effect::ArmInterval{});
    arm_limit(job, out);
}

void on(JobState& job, const event::HoldEnded& e, Effects& out) {
    bool any = job.is_held;
    const std::optional<std::string> leaves = job.leaves;
    if (!e.error || job.epilog_waits) job.leaves.reset(); // it has ended otherwise
    for (auto& [key, task] : job.tasks) {
        if (task.phase != Phase::held) continue;
        any = true;
        if (e.error) continue;
        if (job.in_allocation) task.phase = Phase::ended;
        out.emplace_back(job.in_allocation
                             ? effect::StartTask{key, effect::Start::ended, {}, effect::k_not_started}
                             : effect::StartTask{key, effect::Start::held, {}});
    }
    if (!e.error || !any) return;
    const std::string waits = std::string("the job waits to be ") + (leaves ? "requeued" : "held");
    complain(job, *e.error, job.is_held ? waits : "nothing was started, " + waits, out);
    if (leaves)
        out.emplace_back(effect::RequeueElsewhere{e.reason, *leaves, true});
    else
        out.emplace_back(effect::HoldJob{e.reason, true});
}

} // namespace ckpt::state
