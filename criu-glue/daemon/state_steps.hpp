// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of advance(), one file each: how a task starts (state_start.cpp), how a generation comes about
// (state_generation.cpp), how a job ends (state_end.cpp). Each handler appends its effects.
#pragma once

#include "state.hpp"

namespace ckpt::state {

// start
void on(JobState& job, const event::TaskRegistered& e, Effects& out);
void on(JobState& job, const event::ShimArrived& e, Effects& out);
void on(JobState& job, const event::AdoptEnded& e, Effects& out);
void on(JobState& job, const event::RestoreEnded& e, Effects& out);
void on(JobState& job, const event::ShimReturned& e, Effects& out);
void on(JobState& job, const event::TreeStarted& e, Effects& out);
void on(JobState& job, const event::HoldEnded& e, Effects& out);

// generation
void on(JobState& job, const event::IntervalElapsed& e, Effects& out);
void on(JobState& job, const event::OnDemand& e, Effects& out);
void on(JobState& job, const event::DumpEnded& e, Effects& out);
void on(JobState& job, const event::CommitEnded& e, Effects& out);

// end
void on(JobState& job, const event::TermArrived& e, Effects& out);
void on(JobState& job, const event::CauseGraceElapsed& e, Effects& out);
void on(JobState& job, const event::CauseKnown& e, Effects& out);
void on(JobState& job, const event::TreeExited& e, Effects& out);
void on(JobState& job, const event::CompletionRecorded& e, Effects& out);
void on(JobState& job, const event::TaskGone& e, Effects& out);
void on(JobState& job, const event::EpilogArrived& e, Effects& out);
void on(JobState& job, const event::EpilogLimitReached& e, Effects& out);

// Starts a generation of every running task. False, and no effects, when no task runs or one is under way.
bool take_generation(JobState& job, Reason reason, bool leave_stopped, Effects& out);

// The final generation's images exist or cannot be had: what becomes of the trees and of the SIGTERM.
void settle_ending(JobState& job, Effects& out);

// A SIGTERM was answered, and the trees run on with it.
bool is_settled(const JobState& job);
// As if that SIGTERM had never come.
void forget_ending(JobState& job);

void release_epilog_if_quiet(JobState& job, Effects& out);

// Says a failure once; the same one again is kept quiet until something succeeds.
void complain(JobState& job, const Error& error, const std::string& consequence, Effects& out);

template <typename F>
void for_running(JobState& job, F&& f) {
    for (auto& [key, task] : job.tasks)
        if (task.phase == TaskState::Phase::running) f(key, task);
}

} // namespace ckpt::state
