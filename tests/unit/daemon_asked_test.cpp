// SPDX-License-Identifier: GPL-2.0-or-later
// What somebody asks of a job. Each test names what a user would notice if it failed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon_state_testbed.hpp"

namespace ckpt {
namespace {

using namespace state_test;
using testing::HasSubstr;

constexpr std::uint64_t k_bytes = 1000;

Effects ask(JobState& job, Reason reason) {
    return advance(job, event::OnDemand{true, reason});
}

// Its trees stand still, and its generation is on its way to the store.
JobState standing_for(Reason reason) {
    JobState job = running_job();
    ask(job, reason);
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes});
    return job;
}

TEST(Asked, RequeueIsSavedRequeuedAndAnswered) {
    JobState job = running_job();
    const Effects asked = ask(job, Reason::requeue);
    ASSERT_EQ(all<effect::Dump>(asked).size(), 1U);
    EXPECT_TRUE(all<effect::Dump>(asked)[0].leave_stopped);
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes});
    const Effects saved = advance(job, event::CommitEnded{1, std::nullopt, 1});
    EXPECT_TRUE(has<effect::RequeueJob>(saved));
    EXPECT_FALSE(has<effect::AnswerOnDemand>(saved)) << "slurmctld may refuse";
    EXPECT_FALSE(has<effect::KillTree>(saved));
    const Effects requeued = advance(job, event::RequeueEnded{});
    EXPECT_TRUE(has<effect::KillTree>(requeued));
    ASSERT_TRUE(has<effect::AnswerOnDemand>(requeued));
    EXPECT_EQ(all<effect::AnswerOnDemand>(requeued)[0].generation, 1U);
    EXPECT_FALSE(all<effect::AnswerOnDemand>(requeued)[0].error);
    EXPECT_THAT(all<effect::Say>(requeued).back().line, HasSubstr("requeued on demand"));
    EXPECT_TRUE(has<effect::RecordStop>(requeued)) << "nothing has run on behind the cut";
}

// Whose lines fill the log: effect::Say::at_will.
TEST(Asked, WhatIsSaidOfItIsSaidAtTheUsersWill) {
    const auto said = [](const Effects& effects) {
        EXPECT_EQ(all<effect::Say>(effects).size(), 1U);
        return all<effect::Say>(effects).at(0);
    };
    JobState job = running_job();
    ask(job, Reason::on_demand);
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes});
    EXPECT_TRUE(said(advance(job, event::CommitEnded{1, std::nullopt, 1})).at_will);
    ask(job, Reason::requeue);
    EXPECT_TRUE(said(advance(job, event::DumpEnded{k_batch, some_error(), 0, 0})).at_will);
    ask(job, Reason::on_demand);
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes});
    const Error full{Code::store_full, "the store is full", "", 0};
    EXPECT_TRUE(said(advance(job, event::CommitEnded{3, full, 0})).at_will);

    advance(job, event::IntervalElapsed{});
    EXPECT_FALSE(said(advance(job, event::DumpEnded{k_batch, some_error(), 0, 0})).at_will);
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes});
    EXPECT_FALSE(said(advance(job, event::CommitEnded{5, std::nullopt, 1})).at_will);
}

TEST(Asked, RefusedRequeueRunsOnAndSaysWhy) {
    JobState job = standing_for(Reason::requeue);
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    const Effects refused = advance(job, event::RequeueEnded{some_error()});
    EXPECT_TRUE(has<effect::ContinueTree>(refused));
    EXPECT_FALSE(has<effect::KillTree>(refused));
    ASSERT_TRUE(has<effect::AnswerOnDemand>(refused));
    EXPECT_TRUE(all<effect::AnswerOnDemand>(refused)[0].error);
    EXPECT_TRUE(has<effect::ArmLimit>(refused)) << "the limit is watched still";
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
}

TEST(Asked, VacateCancelsWhenAllIsSaved) {
    JobState job = standing_for(Reason::vacate);
    const Effects saved = advance(job, event::CommitEnded{1, std::nullopt, 1});
    EXPECT_TRUE(has<effect::CancelJob>(saved));
    EXPECT_FALSE(has<effect::RequeueJob>(saved));
    EXPECT_FALSE(has<effect::KillTree>(saved)) << "not before slurmctld agrees";
    const Effects cancelled = advance(job, event::CancelEnded{});
    EXPECT_TRUE(has<effect::KillTree>(cancelled));
    EXPECT_TRUE(has<effect::RecordStop>(cancelled));
    ASSERT_TRUE(has<effect::AnswerOnDemand>(cancelled));
    EXPECT_EQ(all<effect::AnswerOnDemand>(cancelled)[0].generation, 1U);
}

// slurmctld's SIGTERM may be here before its answer.
TEST(Asked, VacatedJobDoesNotRunOnWhenItsSigtermComesFirst) {
    JobState job = standing_for(Reason::vacate);
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    EXPECT_FALSE(has<effect::RelayTerm>(advance(job, event::TermArrived{k_batch})));
    const Effects known = advance(job, event::CauseKnown{Cause::cancelled, false});
    EXPECT_FALSE(has<effect::ContinueTree>(known));
    EXPECT_FALSE(has<effect::RelayTerm>(known));
    EXPECT_TRUE(has<effect::KillTree>(known));
    const Effects ended = advance(job, event::CancelEnded{});
    EXPECT_TRUE(has<effect::RecordStop>(ended));
    EXPECT_TRUE(has<effect::AnswerOnDemand>(ended));
    EXPECT_TRUE(has<effect::LetShimLeave>(advance(job, event::CompletionRecorded{})));
}

TEST(Asked, FailedCommitRunsOn) {
    for (const Reason reason : {Reason::requeue, Reason::vacate}) {
        JobState job = standing_for(reason);
        const Effects failed = advance(job, event::CommitEnded{1, some_error(), 0});
        EXPECT_TRUE(has<effect::ContinueTree>(failed));
        EXPECT_FALSE(has<effect::RequeueJob>(failed) || has<effect::CancelJob>(failed));
        ASSERT_TRUE(has<effect::AnswerOnDemand>(failed));
        EXPECT_TRUE(all<effect::AnswerOnDemand>(failed)[0].error);
    }
}

TEST(Asked, FailedDumpRunsOn) {
    JobState job = running_job();
    ask(job, Reason::vacate);
    const Effects failed = advance(job, event::DumpEnded{k_batch, some_error(), 0, 0});
    EXPECT_TRUE(has<effect::ContinueTree>(failed));
    ASSERT_TRUE(has<effect::AnswerOnDemand>(failed));
    EXPECT_TRUE(all<effect::AnswerOnDemand>(failed)[0].error);
}

TEST(Asked, WaitsForThePeriodicOneAndIsStillARequeue) {
    JobState job = running_job();
    advance(job, event::IntervalElapsed{});
    EXPECT_FALSE(has<effect::AnswerOnDemand>(ask(job, Reason::requeue)));
    const Effects next = advance(job, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes});
    ASSERT_EQ(all<effect::Dump>(next).size(), 1U);
    EXPECT_EQ(all<effect::Dump>(next)[0].reason, Reason::requeue);
    EXPECT_TRUE(all<effect::Dump>(next)[0].leave_stopped);
}

TEST(Asked, TimeLimitThatComesMeanwhileTakesNoSecondOne) {
    JobState job = running_job();
    ask(job, Reason::requeue);
    advance(job, event::LimitNear{});
    advance(job, event::LimitKnown{event::LimitKnown::Limit::near, true});
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::DumpEnded{k_batch, std::nullopt, 1, k_bytes})));
    EXPECT_TRUE(has<effect::RequeueJob>(advance(job, event::CommitEnded{1, std::nullopt, 1})));
}

TEST(Asked, SwitchedOffNothingIsTaken) {
    JobState job = running_job();
    EXPECT_TRUE(has<effect::Say>(advance(job, event::Switched{false})));
    EXPECT_TRUE(advance(job, event::Switched{false}).empty()) << "said once";
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
    const Effects asked = ask(job, Reason::on_demand);
    EXPECT_FALSE(has<effect::Dump>(asked));
    ASSERT_TRUE(has<effect::AnswerOnDemand>(asked));
    EXPECT_THAT(all<effect::AnswerOnDemand>(asked)[0].error->hint, HasSubstr("sckpt enable"));
    advance(job, event::TermArrived{k_batch});
    const Effects ending = advance(job, event::CauseKnown{Cause::requeued, false});
    EXPECT_FALSE(has<effect::Dump>(ending));
    EXPECT_TRUE(has<effect::RelayTerm>(ending));
}

TEST(Asked, SwitchedOnAgainItIs) {
    JobState job = running_job();
    advance(job, event::Switched{false});
    EXPECT_TRUE(has<effect::ArmInterval>(advance(job, event::IntervalElapsed{})))
        << "the next one may be taken";
    advance(job, event::Switched{true});
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
}

} // namespace
} // namespace ckpt
