// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of advance(), one file each: how a task starts (state_start.cpp), how a generation comes about
// (state_generation.cpp), how a job ends (state_end.cpp). Each handler appends its effects.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "state.hpp"

namespace ckpt::state {

// start
void on(JobState& job, const event::TaskRegistered& e, Effects& out);
void on(JobState& job, const event::ShimArrived& e, Effects& out);
void on(JobState& job, const event::AdoptEnded& e, Effects& out);
void on(JobState& job, const event::HistoryKnown& e, Effects& out);
void on(JobState& job, const event::RestoreEnded& e, Effects& out);
void on(JobState& job, const event::ShimReturned& e, Effects& out);
void on(JobState& job, const event::ShimAway& e, Effects& out);
void on(JobState& job, const event::TreeStarted& e, Effects& out);
void on(JobState& job, const event::HoldEnded& e, Effects& out);

// generation
void on(JobState& job, const event::IntervalElapsed& e, Effects& out);
void on(JobState& job, const event::DumpEnded& e, Effects& out);
void on(JobState& job, const event::CommitEnded& e, Effects& out);

// asked
void on(JobState& job, const event::OnDemand& e, Effects& out);
void on(JobState& job, const event::Switched& e, Effects& out);
void on(JobState& job, const event::CancelEnded& e, Effects& out);

// cut
void on(JobState& job, const event::DumpStopped& e, Effects& out);
void on(JobState& job, const event::SettleEnded& e, Effects& out);
void on(JobState& job, const event::DumpTaken& e, Effects& out);

// steps
void on(JobState& job, const event::PartFetched& e, Effects& out);
void on(JobState& job, const event::StepOver& e, Effects& out);
void on(JobState& job, const event::StepUnfit& e, Effects& out);
void on(JobState& job, const event::StepsKnown& e, Effects& out);
void on(JobState& job, const event::StepDoubted& e, Effects& out);
void on(JobState& job, const event::DoubtKnown& e, Effects& out);
void on(JobState& job, const event::StartsOverdue& e, Effects& out);
void on(JobState& job, const event::RunsWithoutUs& e, Effects& out);

// end
void on(JobState& job, const event::TermArrived& e, Effects& out);
void on(JobState& job, const event::CauseGraceElapsed& e, Effects& out);
void on(JobState& job, const event::CauseKnown& e, Effects& out);
void on(JobState& job, const event::TreeExited& e, Effects& out);
void on(JobState& job, const event::CompletionRecorded& e, Effects& out);
void on(JobState& job, const event::TaskGone& e, Effects& out);
void on(JobState& job, const event::ConstraintSet& e, Effects& out);
void on(JobState& job, const event::EpilogArrived& e, Effects& out);
void on(JobState& job, const event::EpilogLimitReached& e, Effects& out);

// a program that saves itself
void on(JobState& job, const event::AppDirReady& e, Effects& out);
void on(JobState& job, const event::AppAsked& e, Effects& out);
void on(JobState& job, const event::AppAnswered& e, Effects& out);

// limit
void on(JobState& job, const event::LimitNear& e, Effects& out);
void on(JobState& job, const event::LimitKnown& e, Effects& out);
void on(JobState& job, const event::RequeueEnded& e, Effects& out);

// How what the job's comment in Slurm says begins: of a generation that is in the store, and why there is
// none.
constexpr std::string_view k_saved = "generation ";
constexpr std::string_view k_restored = "restored generation ";
constexpr std::string_view k_no_checkpoint = "no checkpoint: ";

// Starts a generation of every running task. False, and no effects, when no task runs or one is under way.
bool take_generation(JobState& job, Reason reason, bool leave_stopped, Effects& out);

// Whoever has asked for a generation is told what has become of it.
void answer(JobState& job, std::uint32_t generation, std::optional<Error> error, Effects& out);
// Begins what was asked for, or answers why not.
bool take_what_was_asked(JobState& job, Reason reason, Effects& out);
void refuse_what_was_asked(JobState& job, Effects& out);
// It is saved: slurmctld is asked to let the job leave.
void ask_to_leave(JobState& job, Effects& out);

// What was asked for before the job or one of its steps ran, or during another generation, as soon as that is
// decided.
void take_what_is_due(JobState& job, Effects& out);

// What is due does not wait for ever: StartsOverdue.
void await_starts(JobState& job, Effects& out);
// It does not wait any longer: answers who has asked, and a last generation is given up.
void give_up_what_is_due(JobState& job, const Error& error, Effects& out);

// Why the job's trees cannot be stopped as one, if they cannot.
std::optional<Error> why_no_cut(const JobState& job);
// A dump under way has ended, one way or the other: what that means for the others of the cut.
void dump_of_cut_ended(Taking& taking, const event::DumpEnded& e, Effects& out);
// A task of a step has ended during the cut.
void exited_during_cut(JobState& job, const TaskKey& key, Effects& out);
// Tasks of steps that have ended, of steps that have not.
std::vector<StepExit> exited_tasks(const JobState& job);

// The script's shim asks what to start, and the program saves itself.
void open_app_dir(TaskState& task, const TaskKey& key, Effects& out);
// In place of dumps.
void ask_app(JobState& job, Taking& taking, Effects& out);
// A last generation does not wait for one at an interval or on demand that may never be answered.
void make_way(JobState& job, Effects& out);
// The tree of a task has ended. True when its shim is to wait for what becomes of the last generation.
bool app_holds_end(JobState& job, const event::TreeExited& e, Effects& out);
// A task has gone from which an answer is awaited.
void app_task_gone(JobState& job, const TaskKey& key, Effects& out);
// There is no last generation after all: a script that has ended meanwhile has ended by itself.
void release_held_end(JobState& job, Effects& out);
// The script has ended by itself, with this status. True when its shim waits until that is on record.
bool records_end(JobState& job, int wait_status, Effects& out);

bool is_step(const JobState& job, const TaskKey& key);
// A step's shim asks what to start.
void step_arrived(JobState& job, const TaskKey& key, Effects& out);
// A step's task was restored, or not.
void step_restored(JobState& job, const event::RestoreEnded& e, Effects& out);
// Tasks that came during a cut.
void start_what_waits_for_cut(JobState& job, Effects& out);

// Starts it natively.
void start_fresh(TaskState& task, const TaskKey& key, std::string line, Effects& out);
void start_unmanaged(const Error& why, TaskState& task, const TaskKey& key, Effects& out);
// The job is held instead of started, for that reason.
void hold(TaskState& task, const TaskKey& key, const std::string& reason, Effects& out);
// Why a task cannot start from its checkpoint on a node, "" = this one.
struct Trouble {
    Code code = Code::internal;
    std::string line;
    std::string node{}; // NOLINT(readability-redundant-member-init): GCC warns of aggregates without it
};
// A node that lacks what the checkpoint needs is left, and with JobState::may_leave one that has any other
// trouble of its own: the job is requeued without it. Else it is held.
void hold_or_leave(JobState& job, TaskState& task, const TaskKey& key, const Trouble& trouble, Effects& out);

// The final generation's images exist or cannot be had: what becomes of the trees and of the SIGTERM.
void settle_ending(JobState& job, Effects& out);

// Whether a final generation is wanted before this ending.
bool wants_final(const JobState& job, Cause cause);
// Whether the job goes on elsewhere, so that its trees end here.
bool moves_on(const JobState& job, Cause cause);
// Slurm ends the job for good; we have it requeued.
bool needs_requeue(const JobState& job, Cause cause);
void ask_requeue(JobState& job, Effects& out);
// The SIGTERM of an ending that needs it was relayed: now something is there to go on from.
void requeue_after_all(JobState& job, Effects& out);
void relay_all(JobState& job, Effects& out);
// The trees run on with their SIGTERM delivered. Whether that was Slurm's last word is certain only when
// slurmctld has said so.
void run_on(JobState& job, Cause cause, Effects& out);
void let_shims_leave(JobState& job, Effects& out);

// All is saved and the trees have been ended: the shims follow, after a record that nothing of a tree that
// stood still has run on.
void leave(JobState& job, Effects& out);
// slurmctld has agreed: trees that still stand are ended, with a last `line`.
void leave_standing(JobState& job, std::string line, Effects& out);
// The last generation could not be saved, or slurmctld does not let the job leave: it runs on.
void stand_no_more(JobState& job, Effects& out);
// The trees stand still and the cause of a SIGTERM is known: they end here or run on.
void settle_standing(JobState& job, Effects& out);

// A SIGTERM was answered, and the trees run on with it.
bool is_settled(const JobState& job);
// Its srun has another interval than the job.
bool has_own_interval(const JobState& job, const TaskState& task);
// As if that SIGTERM had never come.
void forget_ending(JobState& job);

bool is_to_be_constrained(const JobState& job);
void release_epilog_if_quiet(JobState& job, Effects& out);

// Says a failure once; the same one again is kept quiet until something succeeds.
void complain(JobState& job, const Error& error, const std::string& consequence, Effects& out,
              bool at_will = false);

template <typename F>
void for_running(JobState& job, F&& f) {
    for (auto& [key, task] : job.tasks)
        if (task.phase == TaskState::Phase::running) f(key, task);
}

} // namespace ckpt::state
