// SPDX-License-Identifier: GPL-2.0-or-later
// How a generation comes about. Each test names what a user would notice if it failed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon_state_testbed.hpp"

namespace ckpt {
namespace {

using namespace state_test;
using testing::IsEmpty;

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
    EXPECT_EQ(all<effect::Say>(saved)[0].line,
              "generation 1 saved, 1.9 GiB -> 410 MiB, paused 0.7 s; the job can be restored");
}

TEST(OnDemand, WaitsForThePeriodicOneUnderWay) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    EXPECT_TRUE(advance(job, event::OnDemand{}).empty());
    const Effects first = advance(job, event::DumpEnded{k_batch, some_error(), 0, 0});
    EXPECT_FALSE(has<effect::AnswerOnDemand>(first)) << "that one was not asked for";
    ASSERT_TRUE(has<effect::Dump>(first));
    EXPECT_EQ(all<effect::Dump>(first).front().reason, Reason::on_demand);
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    const Effects second = advance(job, event::CommitEnded{2, std::nullopt, 1});
    ASSERT_TRUE(has<effect::AnswerOnDemand>(second));
    EXPECT_FALSE(all<effect::AnswerOnDemand>(second).front().error);
}

TEST(OnDemand, WaitsForAJobThatIsAboutToRun) {
    JobState job = fresh_job();
    EXPECT_FALSE(has<effect::AnswerOnDemand>(advance(job, event::OnDemand{})));
    EXPECT_FALSE(has<effect::AnswerOnDemand>(advance(job, event::ShimArrived{k_batch})));
    const auto dumps = all<effect::Dump>(advance(job, event::TreeStarted{k_batch}));
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(dumps.front().reason, Reason::on_demand);
}

TEST(OnDemand, WaitsForAJobThatIsBeingRestored) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    EXPECT_TRUE(advance(job, event::OnDemand{}).empty());
    EXPECT_FALSE(has<effect::AnswerOnDemand>(advance(job, found_generation(1))));
    const Effects restored =
        advance(job, event::RestoreEnded{k_batch, std::nullopt, 0, 1, "1 min", "n1", {}});
    ASSERT_TRUE(has<effect::Dump>(restored));
    EXPECT_EQ(all<effect::Dump>(restored).front().reason, Reason::on_demand);
}

TEST(OnDemand, IsRefusedToAJobThatIsHeldInsteadOfRestored) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    advance(job, event::OnDemand{});
    event::AdoptEnded unreadable;
    unreadable.task = k_batch;
    unreadable.error = some_error();
    Effects held = advance(job, unreadable);
    if (!has<effect::HoldJob>(held)) held = advance(job, unreadable);
    EXPECT_TRUE(has<effect::HoldJob>(held));
    EXPECT_TRUE(has<effect::AnswerOnDemand>(held));
}

TEST(OnDemand, IsAnsweredWhenTheJobEndsInstead) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    advance(job, event::OnDemand{});
    advance(job, event::TermArrived{k_batch});
    const Effects effects = advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    ASSERT_TRUE(has<effect::AnswerOnDemand>(effects));
    EXPECT_EQ(all<effect::AnswerOnDemand>(effects).front().error->code, Code::busy);
    EXPECT_FALSE(has<effect::AnswerOnDemand>(advance(job, event::CommitEnded{1, std::nullopt, 1})));
}

TEST(Comment, EachGenerationAndRestoreButNotTheLast) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    const auto saved = all<effect::Comment>(advance(job, event::CommitEnded{1, std::nullopt, 1}));
    ASSERT_EQ(saved.size(), 1U);
    EXPECT_TRUE(saved.front().rarely);
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::requeued});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_FALSE(has<effect::Comment>(advance(job, event::CommitEnded{2, std::nullopt, 1})));
}

// Where the store is not there later, nothing else says that the job has anything.
TEST(Comment, TheFirstGenerationAlsoWhenItIsTheLast) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::requeued});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    const auto saved = all<effect::Comment>(advance(job, event::CommitEnded{1, std::nullopt, 1}));
    ASSERT_EQ(saved.size(), 1U);
    EXPECT_FALSE(saved.front().rarely);
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

TEST(Interval, WhyNothingIsSavedIsLeftForTheNextIncarnation) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    const Effects failed = advance(job, event::DumpEnded{k_batch, some_error(), 0, 0});
    ASSERT_EQ(all<effect::Comment>(failed).size(), 1U);
    EXPECT_EQ(all<effect::Comment>(failed)[0].text, "no checkpoint: " + one_line(some_error()));
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    const Effects saved = advance(job, event::CommitEnded{2, std::nullopt, 1});
    ASSERT_EQ(all<effect::Comment>(saved).size(), 1U);
    EXPECT_FALSE(all<effect::Comment>(saved)[0].rarely) << "what is no longer true stays there";
    advance(job, event::IntervalElapsed{});
    EXPECT_THAT(all<effect::Comment>(advance(job, event::DumpEnded{k_batch, some_error(), 0, 0})), IsEmpty())
        << "in the place of what says that there is one";
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

TEST(Interval, ACommitThatTheEndOfTheJobOvertakesIsNoTrouble) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    advance(job, event::TreeExited{k_batch, 7 << 8});
    const Effects out = advance(job, event::CommitEnded{1, some_error(), 0});
    EXPECT_THAT(all<effect::Say>(out), IsEmpty());
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

// What decides whether a job keeps its place among those that wait for a dump.
TEST(Generation, CanBeTakenWhileTheJobRunsAndNothingElseIsUnderWay) {
    EXPECT_FALSE(can_take_generation(fresh_job())) << "nothing runs yet";
    JobState job = running_job();
    EXPECT_TRUE(can_take_generation(job));
    advance(job, event::IntervalElapsed{});
    EXPECT_FALSE(can_take_generation(job));
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_TRUE(can_take_generation(job));
    advance(job, event::TreeExited{k_batch, 0});
    EXPECT_FALSE(can_take_generation(job)) << "it has ended";

    JobState ending = running_job();
    advance(ending, event::TermArrived{k_batch});
    EXPECT_FALSE(can_take_generation(ending));
    advance(ending, event::CauseKnown{Cause::cancelled});
    EXPECT_FALSE(can_take_generation(ending));
}

TEST(Generation, CanBeTakenAfterASigtermThatNobodyCanExplain) {
    JobState job = running_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::unknown});
    EXPECT_FALSE(can_take_generation(job)) << "a last one is being taken";
    EXPECT_TRUE(has<effect::ArmInterval>(advance(job, event::DumpEnded{k_batch, some_error(), 0, 0})));
    EXPECT_TRUE(can_take_generation(job));
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
}

TEST(Generation, ADumpThatTheEndOfTheJobOvertakesIsNoTroubleAndIsNotSaid) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    const Error ended{Code::not_found, "the job's processes have ended", "", 0};
    const Effects out = advance(job, event::DumpEnded{k_batch, ended, 0, 0});
    EXPECT_TRUE(has<effect::DiscardImages>(out));
    EXPECT_FALSE(has<effect::Say>(out));
}

} // namespace
} // namespace ckpt
