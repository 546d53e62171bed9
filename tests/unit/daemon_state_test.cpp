// SPDX-License-Identifier: GPL-2.0-or-later
// The daemon's decisions, event by event. Each test names what a user would notice if it failed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/state.hpp"

namespace ckpt {
namespace {

using testing::IsEmpty;

constexpr TaskKey k_batch{0xfffffffbU, 0};

template <typename E>
std::vector<E> all(const Effects& effects) {
    std::vector<E> found;
    for (const Effect& effect : effects)
        if (const auto* e = std::get_if<E>(&effect)) found.push_back(*e);
    return found;
}
template <typename E>
bool has(const Effects& effects) {
    return !all<E>(effects).empty();
}

Plan plan() {
    Plan p;
    p.enabled.value = true;
    p.interval.value = Seconds(60);
    p.on.value = Triggers{1 | 2 | 4 | 8};
    p.keep.value = 2;
    p.max_restarts.value = 100;
    return p;
}

JobState fresh_job() {
    JobState job;
    job.plan = plan();
    advance(job, event::TaskRegistered{k_batch});
    return job;
}

JobState running_job() {
    JobState job = fresh_job();
    advance(job, event::ShimArrived{k_batch});
    advance(job, event::TreeStarted{k_batch});
    return job;
}

Error some_error() {
    return {Code::dump_failed, "criu said no", "", 0};
}

// ---- start ----

TEST(Start, FirstIncarnationStartsAtOnce) {
    JobState job = fresh_job();
    const Effects out = advance(job, event::ShimArrived{k_batch});
    ASSERT_TRUE(has<effect::StartTask>(out));
    EXPECT_EQ(all<effect::StartTask>(out)[0].start, effect::Start::fresh);
    EXPECT_TRUE(has<effect::ArmInterval>(advance(job, event::TreeStarted{k_batch})));
}

TEST(Start, LaterIncarnationAsksTheStoreFirst) {
    JobState job = fresh_job();
    job.restart_count = 1;
    const Effects out = advance(job, event::ShimArrived{k_batch});
    EXPECT_TRUE(has<effect::Adopt>(out));
    EXPECT_FALSE(has<effect::StartTask>(out));
}

TEST(Start, UnmanagedFirstIncarnationRunsWithOneLine) {
    JobState job = fresh_job();
    job.unmanaged = Error{Code::policy_syntax, "bad policy", "", 0};
    const Effects out = advance(job, event::ShimArrived{k_batch});
    ASSERT_EQ(all<effect::StartTask>(out).size(), 1U);
    EXPECT_EQ(all<effect::StartTask>(out)[0].start, effect::Start::unmanaged);
    EXPECT_THAT(all<effect::StartTask>(out)[0].line, testing::HasSubstr("bad policy"));
}

TEST(Start, UnmanagedLaterIncarnationIsHeldNeverStartedFromZero) {
    JobState job = fresh_job();
    job.restart_count = 1;
    job.unmanaged = Error{Code::policy_syntax, "bad policy", "", 0};
    const Effects out = advance(job, event::ShimArrived{k_batch});
    EXPECT_TRUE(has<effect::HoldJob>(out));
    EXPECT_FALSE(has<effect::StartTask>(out));
}

TEST(Start, AJobThatNeverHadAnIdentityHasNothingToLose) {
    JobState job = fresh_job();
    job.restart_count = 1;
    job.unmanaged = Error{Code::restore_impossible, "no identity", "", 0};
    job.never_saved = true;
    const Effects out = advance(job, event::ShimArrived{k_batch});
    ASSERT_EQ(all<effect::StartTask>(out).size(), 1U);
    EXPECT_EQ(all<effect::StartTask>(out)[0].start, effect::Start::unmanaged);
}

TEST(Start, AHoldThatFailsIsTriedAgainAndTheJobWaits) {
    JobState job = fresh_job();
    job.restart_count = 1;
    job.unmanaged = Error{Code::policy_syntax, "bad policy", "", 0};
    EXPECT_TRUE(has<effect::HoldBackTerm>(advance(job, event::ShimArrived{k_batch}))) << "the shim must wait";
    const Error refused{Code::slurm_rpc, "slurmctld does not answer", "", 0};
    const Effects first = advance(job, event::HoldEnded{"bad policy", refused});
    ASSERT_EQ(all<effect::HoldJob>(first).size(), 1U);
    EXPECT_TRUE(all<effect::HoldJob>(first)[0].again);
    EXPECT_EQ(all<effect::Say>(first).size(), 1U);
    EXPECT_FALSE(has<effect::StartTask>(first));
    EXPECT_THAT(all<effect::Say>(advance(job, event::HoldEnded{"bad policy", refused})), IsEmpty())
        << "said once";
    EXPECT_TRUE(has<effect::StartTask>(advance(job, event::HoldEnded{"bad policy", std::nullopt})));
}

TEST(Start, RestartsBeyondTheLimitAreHeld) {
    JobState job = fresh_job();
    job.plan.max_restarts.value = 3;
    job.restart_count = 4;
    EXPECT_TRUE(has<effect::HoldJob>(advance(job, event::ShimArrived{k_batch})));
    JobState last = fresh_job();
    last.plan.max_restarts.value = 3;
    last.restart_count = 3;
    EXPECT_TRUE(has<effect::Adopt>(advance(last, event::ShimArrived{k_batch})));
}

struct Outcome {
    event::AdoptEnded::Found found;
    bool starts_fresh;
    bool restores;
    bool holds;
};

class Adoption : public testing::TestWithParam<Outcome> {};

TEST_P(Adoption, DecidesWhatStarts) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    event::AdoptEnded e;
    e.task = k_batch;
    e.found = GetParam().found;
    const Effects out = advance(job, e);
    EXPECT_EQ(has<effect::StartTask>(out), GetParam().starts_fresh);
    EXPECT_EQ(has<effect::Restore>(out), GetParam().restores);
    EXPECT_EQ(has<effect::HoldJob>(out), GetParam().holds);
}

INSTANTIATE_TEST_SUITE_P(All, Adoption,
                         testing::Values(Outcome{event::AdoptEnded::Found::nothing, true, false, false},
                                         Outcome{event::AdoptEnded::Found::completed, true, false, false},
                                         Outcome{event::AdoptEnded::Found::generation, false, true, false},
                                         Outcome{event::AdoptEnded::Found::unusable, false, false, true}));

TEST(Start, StoreThatCannotBeAskedHoldsTheJob) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    event::AdoptEnded e;
    e.task = k_batch;
    e.error = Error{Code::store_key, "no key", "", 0};
    EXPECT_TRUE(has<effect::HoldJob>(advance(job, e)));
}

TEST(Start, GenerationThatDoesNotRestoreIsFollowedByTheOneBefore) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    event::AdoptEnded found;
    found.task = k_batch;
    found.found = event::AdoptEnded::Found::generation;
    advance(job, found);
    const Effects out = advance(job, event::RestoreEnded{k_batch, some_error(), 0, 7, "1 s", "n2"});
    ASSERT_EQ(all<effect::Adopt>(out).size(), 1U);
    EXPECT_EQ(all<effect::Adopt>(out)[0].before_generation, 7U);
    EXPECT_FALSE(has<effect::StartTask>(out));
}

TEST(Start, NumbersGoOnAfterTheHighestEverUsed) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    event::AdoptEnded found;
    found.task = k_batch;
    found.found = event::AdoptEnded::Found::generation;
    found.newest_generation = 9;
    advance(job, found);
    advance(job, event::RestoreEnded{k_batch, std::nullopt, 0, 9, "1 s", "n2"});
    const Effects out = advance(job, event::IntervalElapsed{});
    ASSERT_EQ(all<effect::Dump>(out).size(), 1U);
    EXPECT_EQ(all<effect::Dump>(out)[0].generation, 10U);
}

TEST(Interval, TheSameTroubleWithAnotherPidIsTheSameTrouble) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpEnded{k_batch, Error{Code::dump_live_srun, "srun (pid 1) runs", "", 0}, 0, 0});
    advance(job, event::IntervalElapsed{});
    EXPECT_THAT(
        all<effect::Say>(advance(
            job, event::DumpEnded{k_batch, Error{Code::dump_live_srun, "srun (pid 22) runs", "", 0}, 0, 0})),
        IsEmpty());
}

// ---- periodic generations ----

TEST(Interval, DumpThenCommitThenLine) {
    JobState job = running_job();
    const Effects dump = advance(job, event::IntervalElapsed{});
    ASSERT_EQ(all<effect::Dump>(dump).size(), 1U);
    EXPECT_FALSE(all<effect::Dump>(dump)[0].leave_stopped);
    const Effects commit = advance(job, event::DumpEnded{k_batch, std::nullopt, 700'000, 2'040'109'466});
    ASSERT_EQ(all<effect::Commit>(commit).size(), 1U);
    EXPECT_FALSE(all<effect::Commit>(commit)[0].tree_was_stopped);
    EXPECT_TRUE(has<effect::ArmInterval>(commit));
    const Effects saved = advance(job, event::CommitEnded{1, std::nullopt, 429'916'160});
    ASSERT_EQ(all<effect::Say>(saved).size(), 1U);
    EXPECT_EQ(all<effect::Say>(saved)[0].line, "generation 1 saved, 1.9 GiB -> 410 MiB, paused 0.7 s");
}

TEST(Interval, FailureIsSaidOnceAndTheJobRunsOn) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    const Effects first = advance(job, event::DumpEnded{k_batch, some_error(), 0, 0});
    EXPECT_EQ(all<effect::Say>(first).size(), 1U);
    EXPECT_TRUE(has<effect::DiscardImages>(first));
    EXPECT_TRUE(has<effect::ArmInterval>(first));
    advance(job, event::IntervalElapsed{});
    const Effects second = advance(job, event::DumpEnded{k_batch, some_error(), 0, 0});
    EXPECT_THAT(all<effect::Say>(second), IsEmpty());
}

TEST(Interval, NoNewDumpWhileACommitIsOnItsWay) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    const Effects out = advance(job, event::IntervalElapsed{});
    EXPECT_FALSE(has<effect::Dump>(out));
    EXPECT_TRUE(has<effect::ArmInterval>(out));
}

TEST(Interval, GenerationOfSeveralTasksIsAllOrNothing) {
    JobState job = running_job();
    const TaskKey other{0, 1};
    advance(job, event::TaskRegistered{other});
    advance(job, event::ShimArrived{other});
    advance(job, event::TreeStarted{other});
    EXPECT_EQ(all<effect::Dump>(advance(job, event::IntervalElapsed{})).size(), 2U);
    EXPECT_FALSE(has<effect::Commit>(advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1})));
    const Effects out = advance(job, event::DumpEnded{other, some_error(), 0, 0});
    EXPECT_FALSE(has<effect::Commit>(out));
    EXPECT_TRUE(has<effect::DiscardImages>(out));
}

TEST(OnDemand, AnswersWhenCommittedOrRefused) {
    JobState job = running_job();
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::OnDemand{})));
    const Effects busy = advance(job, event::OnDemand{});
    ASSERT_EQ(all<effect::AnswerOnDemand>(busy).size(), 1U);
    EXPECT_EQ(all<effect::AnswerOnDemand>(busy)[0].error->code, Code::busy);
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    const Effects done = advance(job, event::CommitEnded{1, std::nullopt, 1});
    ASSERT_EQ(all<effect::AnswerOnDemand>(done).size(), 1U);
    EXPECT_FALSE(all<effect::AnswerOnDemand>(done)[0].error.has_value());
    EXPECT_EQ(all<effect::AnswerOnDemand>(done)[0].generation, 1U);
}

// ---- forced ends ----

TEST(Requeue, FinalGenerationThenTheTreeEndsThenTheShimLeaves) {
    JobState job = running_job();
    const Effects term = advance(job, event::TermArrived{k_batch});
    EXPECT_TRUE(has<effect::AskCause>(term));
    EXPECT_TRUE(has<effect::HoldBackTerm>(term));
    EXPECT_FALSE(has<effect::RelayTerm>(term));
    const Effects cause = advance(job, event::CauseKnown{Cause::requeued});
    ASSERT_EQ(all<effect::Dump>(cause).size(), 1U);
    EXPECT_TRUE(all<effect::Dump>(cause)[0].leave_stopped);
    const Effects dumped = advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_TRUE(has<effect::KillTree>(dumped));
    ASSERT_EQ(all<effect::Commit>(dumped).size(), 1U);
    EXPECT_TRUE(all<effect::Commit>(dumped)[0].tree_was_stopped);
    EXPECT_FALSE(has<effect::LetShimLeave>(dumped));
    EXPECT_FALSE(has<effect::LetShimLeave>(advance(job, event::TreeExited{k_batch, 9}))); // its tree is gone
    EXPECT_FALSE(has<effect::ReleaseEpilog>(advance(job, event::EpilogArrived{})));
    const Effects committed = advance(job, event::CommitEnded{1, std::nullopt, 1});
    EXPECT_TRUE(has<effect::LetShimLeave>(committed));
    EXPECT_TRUE(has<effect::ReleaseEpilog>(committed));
    EXPECT_FALSE(has<effect::RecordCompletion>(committed));
}

TEST(Requeue, SlowSlurmctldDoesNotDelayTheDump) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::CauseGraceElapsed{})));
    const Effects dumped = advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_FALSE(has<effect::KillTree>(dumped)); // stands still until the cause is known
    EXPECT_TRUE(has<effect::KillTree>(advance(job, event::CauseKnown{Cause::requeued})));
}

TEST(Requeue, PeriodicDumpUnderWayIsFollowedByTheFinalOne) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    advance(job, event::TermArrived{k_batch});
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::CauseKnown{Cause::requeued})));
    const Effects out = advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    ASSERT_EQ(all<effect::Dump>(out).size(), 1U);
    EXPECT_EQ(all<effect::Dump>(out)[0].generation, 2U);
}

TEST(Requeue, FailedFinalDumpRelaysTheSignalAndIsNotRetried) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::requeued});
    const Effects out = advance(job, event::DumpEnded{k_batch, some_error(), 0, 0});
    EXPECT_TRUE(has<effect::ContinueTree>(out));
    EXPECT_TRUE(has<effect::RelayTerm>(out));
    EXPECT_FALSE(has<effect::Dump>(out));
    EXPECT_FALSE(has<effect::KillTree>(out));
}

TEST(Cancel, TheApplicationsOwnHandlerRunsAndNothingIsDumped) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    const Effects out = advance(job, event::CauseKnown{Cause::cancelled});
    EXPECT_TRUE(has<effect::RelayTerm>(out));
    EXPECT_FALSE(has<effect::Dump>(out));
}

TEST(Cancel, DumpTakenMeanwhileIsDiscardedAndTheTreeRunsOnToItsHandler) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseGraceElapsed{});
    advance(job, event::CauseKnown{Cause::cancelled});
    const Effects out = advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_TRUE(has<effect::ContinueTree>(out));
    EXPECT_TRUE(has<effect::RelayTerm>(out));
    EXPECT_TRUE(has<effect::DiscardImages>(out));
    EXPECT_FALSE(has<effect::Commit>(out));
    EXPECT_TRUE(is_quiet(job));
}

TEST(UnknownCause, TheDumpIsKeptTheSignalRelayedAndTheTreeLives) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseGraceElapsed{});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    const Effects out = advance(job, event::CauseKnown{Cause::unknown});
    EXPECT_TRUE(has<effect::ContinueTree>(out));
    EXPECT_TRUE(has<effect::RelayTerm>(out));
    ASSERT_EQ(all<effect::Commit>(out).size(), 1U);
    EXPECT_FALSE(all<effect::Commit>(out)[0].tree_was_stopped);
    EXPECT_FALSE(has<effect::KillTree>(out));
}

TEST(UnknownCause, TheNextSigtermIsAskedAboutAnew) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseGraceElapsed{});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_TRUE(has<effect::ArmInterval>(advance(job, event::CauseKnown{Cause::unknown})));
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    EXPECT_TRUE(has<effect::AskCause>(advance(job, event::TermArrived{k_batch})));
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::CauseKnown{Cause::requeued})));
}

TEST(UnknownCause, AJobThatLivesOnIsCheckpointedAgain) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::unknown});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
}

TEST(Timelimit, ASecondSigtermGoesStraightToTheApplication) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::timelimit});
    EXPECT_TRUE(has<effect::RelayTerm>(advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1})));
    const Effects second = advance(job, event::TermArrived{k_batch});
    EXPECT_TRUE(has<effect::RelayTerm>(second));
    EXPECT_FALSE(has<effect::AskCause>(second));
}

TEST(PreemptedForGood, TheApplicationGetsItsSigterm) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::CauseKnown{Cause::preempted_for_good})));
    const Effects out = advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_TRUE(has<effect::ContinueTree>(out));
    EXPECT_TRUE(has<effect::RelayTerm>(out));
    EXPECT_FALSE(has<effect::KillTree>(out));
}

TEST(UserSignal, ScancelSignalTermIsTheApplicationsBusinessAndLifeGoesOn) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    const Effects out = advance(job, event::CauseKnown{Cause::running});
    EXPECT_TRUE(has<effect::RelayTerm>(out));
    EXPECT_FALSE(has<effect::Dump>(out));
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
}

// ---- ends ----

TEST(End, CompletionIsOnRecordBeforeSlurmSeesTheExit) {
    JobState job = running_job();
    const Effects exited = advance(job, event::TreeExited{k_batch, 5 << 8});
    EXPECT_TRUE(has<effect::RecordCompletion>(exited));
    EXPECT_FALSE(has<effect::LetShimLeave>(exited));
    EXPECT_FALSE(has<effect::ReleaseEpilog>(advance(job, event::EpilogArrived{})));
    const Effects recorded = advance(job, event::CompletionRecorded{});
    EXPECT_TRUE(has<effect::LetShimLeave>(recorded));
    EXPECT_TRUE(has<effect::ReleaseEpilog>(recorded));
}

TEST(End, ExitAfterSlurmsSigtermIsNotACompletion) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::cancelled});
    const Effects out = advance(job, event::TreeExited{k_batch, 15});
    EXPECT_FALSE(has<effect::RecordCompletion>(out));
    EXPECT_TRUE(has<effect::LetShimLeave>(out));
}

// The kernel's out-of-memory killer, a node that goes down: what was saved must be usable after a requeue.
TEST(End, ADeathBySignalIsNotACompletion) {
    JobState job = running_job();
    const Effects out = advance(job, event::TreeExited{k_batch, 9});
    EXPECT_FALSE(has<effect::RecordCompletion>(out));
    EXPECT_TRUE(has<effect::LetShimLeave>(out));
}

TEST(End, AShimKilledDuringADumpLeavesNothingWaiting) {
    JobState job = running_job();
    advance(job, event::OnDemand{});
    const Effects gone = advance(job, event::TaskGone{k_batch});
    EXPECT_TRUE(has<effect::KillTree>(gone));
    EXPECT_TRUE(has<effect::DiscardImages>(gone));
    EXPECT_TRUE(has<effect::AnswerOnDemand>(gone));
    EXPECT_TRUE(has<effect::ReleaseEpilog>(advance(job, event::EpilogArrived{})));
}

TEST(End, TheLastGenerationIsWaitedForAgainAndAgain) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::requeued});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    advance(job, event::EpilogArrived{});
    const Effects limit = advance(job, event::EpilogLimitReached{});
    ASSERT_EQ(all<effect::ReleaseEpilog>(limit).size(), 1U);
    EXPECT_TRUE(all<effect::ReleaseEpilog>(limit)[0].to_ask_again);
    EXPECT_FALSE(has<effect::ReleaseEpilog>(advance(job, event::EpilogArrived{})));
    const Effects saved = advance(job, event::CommitEnded{1, std::nullopt, 1});
    ASSERT_EQ(all<effect::ReleaseEpilog>(saved).size(), 1U);
    EXPECT_FALSE(all<effect::ReleaseEpilog>(saved)[0].to_ask_again);
}

TEST(End, OnlyALastGenerationKeepsTheDaemon) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_FALSE(has_last_generation_under_way(job));
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::requeued});
    EXPECT_TRUE(has_last_generation_under_way(job));
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_TRUE(has_last_generation_under_way(job));
    advance(job, event::CommitEnded{2, std::nullopt, 1});
    EXPECT_FALSE(has_last_generation_under_way(job));
}

TEST(End, AJobOfAnEarlierDaemonIsPutOnRecordWhenItEnds) {
    JobState job = fresh_job();
    job.orphaned = true;
    EXPECT_THAT(advance(job, event::ShimReturned{k_batch}), IsEmpty()) << "nothing of it can be dumped";
    EXPECT_TRUE(has<effect::RecordCompletion>(advance(job, event::TreeExited{k_batch, 7 << 8})));
    EXPECT_TRUE(has<effect::LetShimLeave>(advance(job, event::CompletionRecorded{})));
    JobState other = fresh_job();
    advance(other, event::ShimReturned{k_batch});
    EXPECT_FALSE(has<effect::RecordCompletion>(advance(other, event::TreeExited{k_batch, 0})));
}

TEST(End, KilledShimTakesItsTreeAlong) {
    JobState job = running_job();
    EXPECT_TRUE(has<effect::KillTree>(advance(job, event::TaskGone{k_batch})));
}

TEST(End, EpilogIsReleasedAtItsLimitAlthoughTheCommitHangs) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_FALSE(has<effect::ReleaseEpilog>(advance(job, event::EpilogArrived{})));
    EXPECT_TRUE(has<effect::ReleaseEpilog>(advance(job, event::EpilogLimitReached{})));
    EXPECT_FALSE(has<effect::ReleaseEpilog>(advance(job, event::CommitEnded{1, std::nullopt, 1})));
}

TEST(End, EpilogOfAQuietJobDoesNotWait) {
    JobState job = running_job();
    EXPECT_TRUE(has<effect::ReleaseEpilog>(advance(job, event::EpilogArrived{})));
}

} // namespace
} // namespace ckpt
