// SPDX-License-Identifier: GPL-2.0-or-later
// How a job ends. Each test names what a user would notice if it failed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon_state_testbed.hpp"

namespace ckpt {
namespace {

using namespace state_test;
using testing::IsEmpty;

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

TEST(End, ALastCheckpointThatDoesNotFitLeavesTheOneBefore) {
    JobState job = running_job();
    job.saved = 3;
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::requeued});
    const Effects out =
        advance(job, event::DumpEnded{k_batch, Error{Code::dump_unfit, "no room", "", 0}, 0, 0});
    ASSERT_EQ(all<effect::Say>(out).size(), 1U);
    EXPECT_THAT(all<effect::Say>(out)[0].line, testing::HasSubstr("generation 3 stands"));
    EXPECT_TRUE(has<effect::RelayTerm>(out));
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

// ---- nodes for what comes next ----

JobState requeued_job(bool constrains) {
    JobState job = running_job();
    job.constrains = constrains;
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::requeued, true});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    advance(job, event::CompletionRecorded{});
    advance(job, event::TaskGone{k_batch, {}, 0});
    return job;
}

TEST(Constraint, IsSetBeforeTheEpilogEnds) {
    JobState job = requeued_job(true);
    const Effects out = advance(job, event::EpilogArrived{});
    EXPECT_TRUE(has<effect::Constrain>(out));
    EXPECT_FALSE(has<effect::ReleaseEpilog>(out)) << "the job could start before it";
    const Effects set = advance(job, event::ConstraintSet{});
    EXPECT_TRUE(has<effect::ReleaseEpilog>(set));
    EXPECT_FALSE(has<effect::Constrain>(set)) << "one request for one requeue";
}

TEST(Constraint, IsNoMatterWherePolicyTellsNoKindsApart) {
    JobState job = requeued_job(false);
    const Effects out = advance(job, event::EpilogArrived{});
    EXPECT_FALSE(has<effect::Constrain>(out));
    EXPECT_TRUE(has<effect::ReleaseEpilog>(out));
}

TEST(Constraint, IsNoMatterForAJobThatGoesNowhere) {
    JobState job = running_job();
    job.constrains = true;
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    advance(job, event::TreeExited{k_batch, 0, {}});
    advance(job, event::CompletionRecorded{});
    const Effects out = advance(job, event::EpilogArrived{});
    EXPECT_FALSE(has<effect::Constrain>(out));
    EXPECT_TRUE(has<effect::ReleaseEpilog>(out));
}

} // namespace
} // namespace ckpt
