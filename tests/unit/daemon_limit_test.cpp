// SPDX-License-Identifier: GPL-2.0-or-later
// What happens before and at a time limit. Each test names what a user would notice if it failed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon_state_testbed.hpp"

namespace ckpt {
namespace {

using namespace state_test;
using testing::HasSubstr;
using Limit = event::LimitKnown::Limit;

constexpr std::uint64_t k_bytes = 1000;

// Its trees stand still, and its generation is on its way to the store.
JobState standing_job() {
    JobState job = running_job();
    advance(job, event::LimitNear{});
    advance(job, event::LimitKnown{Limit::near, true});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes});
    return job;
}

TEST(TimeLimit, IsWatchedFromTheStart) {
    JobState job = fresh_job();
    advance(job, event::ShimArrived{k_batch});
    EXPECT_TRUE(has<effect::ArmLimit>(advance(job, event::TreeStarted{k_batch})));
}

TEST(TimeLimit, IsNotWatchedWhenTheUserDoesNotWantIt) {
    JobState job = fresh_job();
    job.plan.on.value = Triggers{};
    advance(job, event::ShimArrived{k_batch});
    EXPECT_FALSE(has<effect::ArmLimit>(advance(job, event::TreeStarted{k_batch})));
}

TEST(TimeLimit, DumpSaveRequeueEnd) {
    JobState job = running_job();
    EXPECT_TRUE(has<effect::AskLimit>(advance(job, event::LimitNear{})));
    const Effects near = advance(job, event::LimitKnown{Limit::near, true});
    ASSERT_EQ(all<effect::Dump>(near).size(), 1U);
    EXPECT_TRUE(all<effect::Dump>(near)[0].leave_stopped);
    const Effects dumped = advance(job, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes});
    ASSERT_EQ(all<effect::Commit>(dumped).size(), 1U);
    EXPECT_FALSE(all<effect::Commit>(dumped)[0].tree_was_stopped); // it may yet run on
    EXPECT_FALSE(has<effect::KillTree>(dumped));
    const Effects saved = advance(job, event::CommitEnded{1, std::nullopt, 1});
    EXPECT_TRUE(has<effect::RequeueJob>(saved));
    EXPECT_FALSE(has<effect::KillTree>(saved)); // not before slurmctld has the job
    EXPECT_FALSE(has<effect::LetShimLeave>(saved));
    const Effects requeued = advance(job, event::RequeueEnded{});
    EXPECT_TRUE(has<effect::KillTree>(requeued));
    ASSERT_TRUE(has<effect::RecordStop>(requeued)); // what the shims say now is behind the cut, and stays
    EXPECT_EQ(all<effect::RecordStop>(requeued)[0].generation, 1U);
    EXPECT_FALSE(has<effect::LetShimLeave>(requeued));
    EXPECT_TRUE(has<effect::LetShimLeave>(advance(job, event::CompletionRecorded{})));
    EXPECT_FALSE(has<effect::RecordCompletion>(advance(job, event::TreeExited{k_batch, 9})));
}

TEST(TimeLimit, AnExtensionIsLearnedBeforeAnythingIsDumped) {
    JobState job = running_job();
    advance(job, event::LimitNear{});
    const Effects later = advance(job, event::LimitKnown{Limit::later, true});
    EXPECT_TRUE(has<effect::ArmLimit>(later));
    EXPECT_FALSE(has<effect::Dump>(later));
}

TEST(TimeLimit, AJobThatIsEndingAlreadyIsLeftToItsEnding) {
    JobState job = running_job();
    advance(job, event::LimitNear{});
    EXPECT_TRUE(advance(job, event::LimitKnown{Limit::over, true}).empty());
}

TEST(TimeLimit, ARefusedRequeueLetsTheApplicationRunOn) {
    JobState job = standing_job();
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    const Effects refused = advance(job, event::RequeueEnded{some_error()});
    EXPECT_TRUE(has<effect::ContinueTree>(refused));
    EXPECT_FALSE(has<effect::KillTree>(refused));
    EXPECT_FALSE(has<effect::LetShimLeave>(refused));
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
}

TEST(TimeLimit, AFailedCommitLetsTheApplicationRunOn) {
    JobState job = standing_job();
    const Effects failed = advance(job, event::CommitEnded{1, some_error(), 0});
    EXPECT_TRUE(has<effect::ContinueTree>(failed));
    EXPECT_FALSE(has<effect::RequeueJob>(failed));
}

TEST(TimeLimit, AFailedDumpLetsTheApplicationRunOnAndIsTriedAgainAtTheLimit) {
    JobState job = running_job();
    advance(job, event::LimitNear{});
    advance(job, event::LimitKnown{Limit::near, true});
    EXPECT_TRUE(has<effect::ContinueTree>(advance(job, event::DumpEnded{k_batch, some_error(), 0, 0})));
    advance(job, event::TermArrived{k_batch});
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::CauseKnown{Cause::timelimit, true})));
}

TEST(TimeLimit, NothingElseIsDumpedWhileTheTreesStandStill) {
    JobState job = standing_job();
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
    const Effects on_demand = advance(job, event::OnDemand{});
    EXPECT_FALSE(has<effect::Dump>(on_demand));
    ASSERT_EQ(all<effect::AnswerOnDemand>(on_demand).size(), 1U);
    EXPECT_TRUE(all<effect::AnswerOnDemand>(on_demand)[0].error);
    EXPECT_FALSE(has<effect::AskLimit>(advance(job, event::LimitNear{})));
}

TEST(TimeLimit, APeriodicDumpUnderWayIsFollowedByTheLastOne) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::LimitKnown{Limit::near, true})));
    const Effects out = advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    ASSERT_EQ(all<effect::Dump>(out).size(), 1U);
    EXPECT_TRUE(all<effect::Dump>(out)[0].leave_stopped);
}

TEST(TimeLimit, AJobThatCannotBeRequeuedIsSavedAndRunsOn) {
    JobState job = running_job();
    const Effects near = advance(job, event::LimitKnown{Limit::near, false});
    ASSERT_EQ(all<effect::Dump>(near).size(), 1U);
    EXPECT_FALSE(all<effect::Dump>(near)[0].leave_stopped);
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes});
    EXPECT_FALSE(has<effect::RequeueJob>(advance(job, event::CommitEnded{1, std::nullopt, 1})));
}

// slurmctld sends its SIGTERM the moment it accepts the requeue; it may be here before slurmctld's answer.
TEST(TimeLimit, TheSigtermOfOurOwnRequeue) {
    JobState job = standing_job();
    job.plan.on.value = Triggers{1}; // time limit only
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    EXPECT_TRUE(has<effect::HoldBackTerm>(advance(job, event::TermArrived{k_batch})));
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::CauseGraceElapsed{})));
    const Effects cause = advance(job, event::CauseKnown{Cause::requeued, true});
    EXPECT_FALSE(has<effect::ContinueTree>(cause));
    EXPECT_FALSE(has<effect::LetShimLeave>(cause));
    const Effects requeued = advance(job, event::RequeueEnded{});
    EXPECT_TRUE(has<effect::KillTree>(requeued));
    EXPECT_TRUE(has<effect::RecordStop>(requeued));
}

TEST(TimeLimit, CancelledWhileItStandsStillTheApplicationGetsItsSigterm) {
    JobState job = standing_job();
    advance(job, event::TermArrived{k_batch});
    const Effects cause = advance(job, event::CauseKnown{Cause::cancelled});
    EXPECT_TRUE(has<effect::ContinueTree>(cause));
    EXPECT_TRUE(has<effect::RelayTerm>(cause));
    EXPECT_FALSE(has<effect::RequeueJob>(advance(job, event::CommitEnded{1, std::nullopt, 1})));
}

TEST(TimeLimit, RequeuedBySomebodyElseWhileItStandsStillTheSaveIsTheLastOne) {
    JobState job = standing_job();
    advance(job, event::TermArrived{k_batch});
    EXPECT_TRUE(has<effect::KillTree>(advance(job, event::CauseKnown{Cause::requeued, true})));
    EXPECT_TRUE(has_last_generation_under_way(job));
    const Effects saved = advance(job, event::CommitEnded{1, std::nullopt, 1});
    EXPECT_FALSE(has<effect::RequeueJob>(saved));
    EXPECT_TRUE(has<effect::RecordStop>(saved));
}

TEST(TimeLimit, WhatWasNotSavedIsNoStop) {
    JobState job = standing_job();
    job.saved = 7; // of an earlier one
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::requeued, true});
    const Effects lost = advance(job, event::CommitEnded{1, some_error(), 0});
    EXPECT_FALSE(has<effect::RecordStop>(lost)) << "the job goes on from 7, after which it has run on";
    EXPECT_TRUE(has<effect::LetShimLeave>(lost));
}

TEST(TimeLimit, WhatRanOnAfterAllWasNoStop) {
    JobState job = standing_job();
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    advance(job, event::RequeueEnded{some_error()});
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::requeued, true});
    const Effects failed = advance(job, event::DumpEnded{k_batch, some_error(), 0, 0});
    EXPECT_FALSE(has<effect::RecordStop>(failed));
}

// A SIGTERM of somebody else's while slurmctld has our request: only its answer says what becomes of the
// trees.
TEST(TimeLimit, CancelledWhileTheRequeueIsUnderWay) {
    JobState job = standing_job();
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    advance(job, event::TermArrived{k_batch});
    const Effects cause = advance(job, event::CauseKnown{Cause::cancelled});
    EXPECT_FALSE(has<effect::KillTree>(cause));
    EXPECT_FALSE(has<effect::ContinueTree>(cause));
    const Effects refused = advance(job, event::RequeueEnded{some_error()});
    EXPECT_TRUE(has<effect::ContinueTree>(refused));
    EXPECT_TRUE(has<effect::RelayTerm>(refused));
    EXPECT_FALSE(has<effect::KillTree>(refused));
}

TEST(TimeLimit, TheLimitStrikesWhileTheRequeueIsUnderWayAndItIsAskedForAgain) {
    JobState job = standing_job();
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    advance(job, event::TermArrived{k_batch});
    EXPECT_TRUE(has<effect::KillTree>(advance(job, event::CauseKnown{Cause::timelimit, true})));
    const Effects refused = advance(job, event::RequeueEnded{some_error()});
    ASSERT_EQ(all<effect::RequeueJob>(refused).size(), 1U);
    EXPECT_TRUE(all<effect::RequeueJob>(refused)[0].again);
    EXPECT_TRUE(has<effect::RecordStop>(advance(job, event::RequeueEnded{})));
}

TEST(TimeLimit, ARefusalBeforehandDoesNotCountWhenTheLimitIsHit) {
    JobState job = standing_job();
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    advance(job, event::RequeueEnded{some_error()});
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::timelimit, true});
    const Effects failed = advance(job, event::DumpEnded{k_batch, some_error(), 0, 0});
    ASSERT_EQ(all<effect::RequeueJob>(failed).size(), 1U);
    EXPECT_FALSE(all<effect::RequeueJob>(failed)[0].again);
}

TEST(TimeLimit, SigcontIsKeptBackFromBeforeTheDump) {
    JobState job = running_job();
    EXPECT_TRUE(has<effect::Stand>(advance(job, event::LimitKnown{Limit::near, true})));
}

TEST(TimeLimit, AnApplicationThatRanOnAllTheSameAndEndedIsNotRequeued) {
    JobState job = standing_job();
    EXPECT_TRUE(has<effect::RecordCompletion>(advance(job, event::TreeExited{k_batch, 0})));
    EXPECT_FALSE(has<effect::RequeueJob>(advance(job, event::CommitEnded{1, std::nullopt, 1})));
}

TEST(TimeLimitHit, DumpSaveRequeue) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::CauseKnown{Cause::timelimit, true})));
    const Effects dumped = advance(job, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes});
    EXPECT_TRUE(has<effect::KillTree>(dumped));
    EXPECT_FALSE(has<effect::RelayTerm>(dumped));
    const Effects saved = advance(job, event::CommitEnded{1, std::nullopt, 1});
    EXPECT_TRUE(has<effect::RequeueJob>(saved));
    EXPECT_FALSE(has<effect::ReleaseEpilog>(advance(job, event::EpilogArrived{})));
    const Effects requeued = advance(job, event::RequeueEnded{});
    EXPECT_TRUE(has<effect::LetShimLeave>(requeued));
    EXPECT_TRUE(has<effect::ReleaseEpilog>(requeued));
}

TEST(TimeLimitHit, WithoutARequeueTheApplicationGetsItsSigterm) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::timelimit, false});
    const Effects dumped = advance(job, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes});
    EXPECT_TRUE(has<effect::ContinueTree>(dumped));
    EXPECT_TRUE(has<effect::RelayTerm>(dumped));
}

TEST(TimeLimitHit, ADumpThatDoesNotFitLeavesTheNewestGenerationToGoOnFrom) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::timelimit, true});
    const Effects failed = advance(job, event::DumpEnded{k_batch, some_error(), 0, 0});
    EXPECT_TRUE(has<effect::RelayTerm>(failed));
    EXPECT_TRUE(has<effect::RequeueJob>(failed));
}

TEST(TimeLimitHit, AGenerationThatIsSavedAfterwardsBringsTheJobBack) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::timelimit, true});
    EXPECT_FALSE(has<effect::RequeueJob>(advance(job, event::DumpEnded{k_batch, some_error(), 0, 0})));
    EXPECT_TRUE(has<effect::RequeueJob>(advance(job, event::CommitEnded{1, std::nullopt, 1})));
}

TEST(TimeLimitHit, ABusySlurmctldIsAskedAgainButNotForEver) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::timelimit, true});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes});
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    int asked = 1;
    while (has<effect::RequeueJob>(advance(job, event::RequeueEnded{some_error()})))
        ASSERT_LT(++asked, 10);
    EXPECT_EQ(asked, 5);
    EXPECT_TRUE(is_quiet(job));
}

// It would start from the beginning and come to the same end, for ever.
TEST(TimeLimitHit, WithNothingSavedItIsNotRequeued) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::timelimit, true});
    EXPECT_FALSE(has<effect::RequeueJob>(advance(job, event::DumpEnded{k_batch, some_error(), 0, 0})));
    JobState second = running_job();
    advance(second, event::TermArrived{k_batch});
    advance(second, event::CauseKnown{Cause::timelimit, true});
    advance(second, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes});
    const Effects unsaved = advance(second, event::CommitEnded{1, some_error(), 0});
    EXPECT_FALSE(has<effect::RequeueJob>(unsaved));
    EXPECT_TRUE(has<effect::LetShimLeave>(unsaved));
}

TEST(TimeLimitHit, TheShimIsKilledBeforeEverythingIsSavedAndTheJobStillRequeued) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::timelimit, true});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes});
    advance(job, event::TaskGone{k_batch});
    EXPECT_FALSE(has<effect::ReleaseEpilog>(advance(job, event::EpilogArrived{})));
    EXPECT_TRUE(has<effect::RequeueJob>(advance(job, event::CommitEnded{1, std::nullopt, 1})));
    EXPECT_TRUE(has<effect::ReleaseEpilog>(advance(job, event::RequeueEnded{})));
}

TEST(PreemptedForGood, AJobThatMayBeRequeuedComesBack) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::preempted_for_good, true});
    EXPECT_TRUE(has<effect::KillTree>(advance(job, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes})));
    EXPECT_TRUE(has<effect::RequeueJob>(advance(job, event::CommitEnded{1, std::nullopt, 1})));
}

JobState adopting_job(std::uint32_t limit) {
    JobState job = fresh_job();
    job.restart_count = 3;
    job.no_progress_limit = limit;
    advance(job, event::ShimArrived{k_batch});
    return job;
}

event::AdoptEnded adopted_again(std::uint32_t before) {
    return {k_batch, event::AdoptEnded::Found::generation, std::nullopt, 7, before, std::nullopt, {}};
}

TEST(NoProgress, TheJobIsHeldAndToldHowToGoOn) {
    JobState job = adopting_job(3);
    const Effects held = advance(job, adopted_again(3));
    EXPECT_FALSE(has<effect::Restore>(held));
    ASSERT_EQ(all<effect::HoldJob>(held).size(), 1U);
    EXPECT_THAT(all<effect::HoldJob>(held)[0].reason, HasSubstr("scontrol release"));
}

TEST(NoProgress, WhoeverReleasesItGivesItAsManyTriesAgain) {
    for (const std::uint32_t before : {0U, 1U, 2U, 4U, 5U}) {
        JobState job = adopting_job(3);
        EXPECT_TRUE(has<effect::Restore>(advance(job, adopted_again(before)))) << before;
    }
    JobState job = adopting_job(3);
    EXPECT_TRUE(has<effect::HoldJob>(advance(job, adopted_again(6))));
}

TEST(StartedOnceMore, AFinishedJobEndsAgainAsItHad) {
    JobState job = adopting_job(3);
    event::AdoptEnded completed;
    completed.task = k_batch;
    completed.found = event::AdoptEnded::Found::completed;
    completed.end_again = 5 << 8;
    const Effects out = advance(job, completed);
    ASSERT_EQ(all<effect::StartTask>(out).size(), 1U);
    EXPECT_EQ(all<effect::StartTask>(out)[0].start, effect::Start::ended);
    EXPECT_EQ(all<effect::StartTask>(out)[0].wait_status, 5 << 8);
    EXPECT_FALSE(has<effect::RecordCompletion>(advance(job, event::TaskGone{k_batch})));
}

} // namespace
} // namespace ckpt
