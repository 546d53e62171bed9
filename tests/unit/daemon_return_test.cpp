// SPDX-License-Identifier: GPL-2.0-or-later
// A shim whose tree was started under an earlier daemon comes back.
#include <cerrno>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon_state_testbed.hpp"

namespace ckpt {
namespace {

using namespace state_test;
using testing::HasSubstr;

JobState returned_job(bool term_delivered = false) {
    JobState job = fresh_job();
    advance(job, event::ShimReturned{k_batch, term_delivered});
    return job;
}

TEST(Return, IsServedAsBefore) {
    JobState job = fresh_job();
    const Effects effects = advance(job, event::ShimReturned{k_batch});
    ASSERT_TRUE(has<effect::WelcomeBack>(effects));
    EXPECT_EQ(all<effect::WelcomeBack>(effects).front().line, "");
    EXPECT_TRUE(has<effect::ArmInterval>(effects));
    EXPECT_TRUE(has<effect::ArmLimit>(effects));
    EXPECT_FALSE(has<effect::StartTask>(effects));
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
}

TEST(Return, GenerationsAreCountedOn) {
    JobState job = fresh_job();
    job.last_generation = 7;
    advance(job, event::ShimReturned{k_batch});
    const auto dumps = all<effect::Dump>(advance(job, event::IntervalElapsed{}));
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(dumps.front().generation, 8U);
}

TEST(Return, OnlyOnce) {
    JobState job = returned_job();
    EXPECT_TRUE(advance(job, event::ShimReturned{k_batch}).empty());
}

TEST(Return, ACheckpointThatIsAskedForBeforeIsTakenThen) {
    JobState job = fresh_job();
    advance(job, event::TaskRegistered{k_batch});
    EXPECT_FALSE(has<effect::AnswerOnDemand>(advance(job, event::OnDemand{})));
    const auto dumps = all<effect::Dump>(advance(job, event::ShimReturned{k_batch}));
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(dumps.front().reason, Reason::on_demand);
}

TEST(Return, ACheckpointThatIsAskedForBeforeIsRefusedToAJobThatEnds) {
    JobState job = fresh_job();
    advance(job, event::TaskRegistered{k_batch});
    advance(job, event::OnDemand{});
    const Effects ending = advance(job, event::ShimReturned{k_batch, true});
    ASSERT_TRUE(has<effect::AnswerOnDemand>(ending));
    EXPECT_EQ(all<effect::AnswerOnDemand>(ending).front().error->code, Code::busy);
    EXPECT_FALSE(has<effect::Dump>(ending));

    JobState gone = fresh_job();
    advance(gone, event::TaskRegistered{k_batch});
    advance(gone, event::OnDemand{});
    EXPECT_TRUE(has<effect::AnswerOnDemand>(advance(gone, event::TaskGone{k_batch})));
}

TEST(Return, ItsEndIsPutOnRecord) {
    JobState job = returned_job();
    EXPECT_TRUE(has<effect::RecordCompletion>(advance(job, event::TreeExited{k_batch, 7 << 8})));
    EXPECT_TRUE(has<effect::LetShimLeave>(advance(job, event::CompletionRecorded{})));
}

TEST(Return, ATermThatNobodyWasAskedAboutMayBeSlurmsEnd) {
    JobState job = fresh_job();
    EXPECT_TRUE(has<effect::AskCause>(advance(job, event::ShimReturned{k_batch, true})));
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::CauseGraceElapsed{})));
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::CauseKnown{Cause::requeued, false})))
        << "half of the tree may be gone";
    EXPECT_FALSE(has<effect::RecordCompletion>(advance(job, event::TreeExited{k_batch, 3 << 8})));
}

TEST(Return, ATermThatWasTheUsersOwnIsForgotten) {
    JobState job = returned_job(true);
    EXPECT_TRUE(has<effect::ArmInterval>(advance(job, event::CauseKnown{Cause::running, true})));
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
}

TEST(Return, WhoseNamespacesAreLostRunsOnUnsaved) {
    JobState job = fresh_job();
    job.orphaned = true;
    const Effects effects = advance(job, event::ShimReturned{k_batch});
    ASSERT_TRUE(has<effect::WelcomeBack>(effects));
    EXPECT_THAT(all<effect::WelcomeBack>(effects).front().line, HasSubstr("next start"));
    EXPECT_FALSE(has<effect::ArmInterval>(effects));
    advance(job, event::TermArrived{k_batch});
    const Effects known = advance(job, event::CauseKnown{Cause::requeued, false});
    EXPECT_FALSE(has<effect::Dump>(known));
    EXPECT_TRUE(has<effect::RelayTerm>(known));
}

TEST(Return, WhoAsksWhatToStartWithoutItsNamespacesIsNotStartedOver) {
    JobState job = fresh_job();
    job.orphaned = true;
    job.restart_count = 1;
    EXPECT_TRUE(has<effect::HoldJob>(advance(job, event::ShimArrived{k_batch})));
    JobState first = fresh_job();
    first.orphaned = true;
    const auto starts = all<effect::StartTask>(advance(first, event::ShimArrived{k_batch}));
    ASSERT_EQ(starts.size(), 1U);
    EXPECT_EQ(starts.front().start, effect::Start::unmanaged);
}

TEST(Return, AnInterruptedStartIsWaitedForBeforeTheDaemonStops) {
    JobState job = fresh_job();
    job.restart_count = 1;
    EXPECT_FALSE(is_starting(job));
    advance(job, event::ShimArrived{k_batch});
    EXPECT_TRUE(is_starting(job));
    EXPECT_FALSE(is_launching(job));
    advance(job, found_generation(1));
    EXPECT_TRUE(is_starting(job));
    advance(job, event::RestoreEnded{k_batch, std::nullopt, 0, 1, "1 min", "n1", {}});
    EXPECT_FALSE(is_starting(job));
}

TEST(Away, AShimThatLostItsConnectionKeepsItsTree) {
    JobState job = running_job();
    EXPECT_TRUE(advance(job, event::ShimAway{k_batch}).empty());
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
    const Effects back = advance(job, event::ShimReturned{k_batch});
    EXPECT_TRUE(has<effect::WelcomeBack>(back));
    EXPECT_FALSE(has<effect::ArmInterval>(back)) << "its timers have gone on";
}

TEST(Away, WhatStandsRunsOn) {
    JobState job = running_job();
    advance(job, event::LimitNear{});
    advance(job, event::LimitKnown{event::LimitKnown::Limit::near, true});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_TRUE(has<effect::ContinueTree>(advance(job, event::ShimAway{k_batch})));
    EXPECT_FALSE(has<effect::RequeueJob>(advance(job, event::CommitEnded{1, std::nullopt, 1})));
}

TEST(Away, WhatWasBeingRestoredIsBegunAnew) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    EXPECT_TRUE(has<effect::KillTree>(advance(job, event::ShimAway{k_batch})));
    EXPECT_TRUE(has<effect::Adopt>(advance(job, event::ShimArrived{k_batch})));
}

// We were too slow, and the shim has delivered the SIGTERM: images with that pending would end when restored.
TEST(Away, ATermThatWasDeliveredMeanwhileSpoilsTheLastDump) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::CauseKnown{Cause::requeued, false})));
    advance(job, event::ShimAway{k_batch});
    advance(job, event::ShimReturned{k_batch, true});
    const Effects dumped = advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_TRUE(has<effect::DiscardImages>(dumped));
    EXPECT_TRUE(has<effect::ContinueTree>(dumped));
    EXPECT_FALSE(has<effect::Commit>(dumped));
    EXPECT_FALSE(has<effect::KillTree>(dumped));
}

TEST(Unsupported, WhereThereIsNoStoreNothingWasEverSaved) {
    JobState job = fresh_job();
    job.restart_count = 1;
    job.unmanaged = Error{Code::unsupported_setting, "ProctrackType", "", 0};
    EXPECT_TRUE(has<effect::Adopt>(advance(job, event::ShimArrived{k_batch})));
    event::AdoptEnded ended;
    ended.task = k_batch;
    ended.error = Error{Code::store_unwritable, "the store does not exist", "", ENOENT};
    EXPECT_FALSE(has<effect::HoldJob>(advance(job, ended)));
}

} // namespace
} // namespace ckpt
