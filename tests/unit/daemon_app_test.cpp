// SPDX-License-Identifier: GPL-2.0-or-later
// Jobs whose program saves itself. Each test names what a user would notice if it failed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "daemon_state_testbed.hpp"

namespace ckpt {
namespace {

using namespace state_test;
using testing::HasSubstr;
using How = event::AppAnswered::How;
using Limit = event::LimitKnown::Limit;

constexpr TaskKey k_task{3, 0};

JobState fresh_app() {
    JobState job = fresh_job();
    job.plan.method.value = {Method::Kind::app, SIGUSR1};
    return job;
}

JobState running_app(std::uint32_t noted = 0, std::uint32_t restarts = 0) {
    JobState job = fresh_app();
    job.restart_count = restarts;
    advance(job, event::ShimArrived{k_batch});
    advance(job, event::AppDirReady{k_batch, noted});
    advance(job, event::TreeStarted{k_batch});
    return job;
}

JobState running_app_with_step() {
    JobState job = running_app();
    advance(job, event::TaskRegistered{k_task, 7, {1, 1, 0}});
    advance(job, event::ShimArrived{k_task});
    advance(job, event::TreeStarted{k_task});
    return job;
}

// Before its time limit; its program has been asked.
JobState asked_app() {
    JobState job = running_app();
    advance(job, event::LimitKnown{Limit::near, true});
    advance(job, event::AppAsked{k_batch, 1, 1, {}});
    return job;
}

TEST(App, IsToldItsDirectoryBeforeItsScriptStarts) {
    JobState job = fresh_app();
    const Effects arrived = advance(job, event::ShimArrived{k_batch});
    EXPECT_TRUE(has<effect::OpenAppDir>(arrived));
    EXPECT_FALSE(has<effect::StartTask>(arrived));
    const Effects ready = advance(job, event::AppDirReady{k_batch, 0});
    ASSERT_EQ(all<effect::StartTask>(ready).size(), 1U);
    EXPECT_EQ(all<effect::StartTask>(ready)[0].start, effect::Start::fresh);
    EXPECT_EQ(all<effect::StartTask>(ready)[0].line, "");
}

TEST(App, RunsWithoutADirectoryWhereNoneCanBeMade) {
    JobState job = fresh_app();
    advance(job, event::ShimArrived{k_batch});
    const Effects ready = advance(job, event::AppDirReady{k_batch, 0, some_error()});
    EXPECT_TRUE(has<effect::StartTask>(ready));
    EXPECT_TRUE(has<effect::Say>(ready));
}

// Its store is not mounted, say: there may be what it would start over.
TEST(App, IsHeldWhereItCannotBeToldWhetherItWasSaved) {
    JobState job = fresh_app();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    const Effects ready = advance(job, event::AppDirReady{k_batch, 0, some_error()});
    EXPECT_FALSE(has<effect::StartTask>(ready));
    EXPECT_TRUE(has<effect::HoldJob>(ready));
}

TEST(App, ThatCannotBeNotedIsNotSaidToBeSaved) {
    JobState job = running_app();
    advance(job, event::OnDemand{true, Reason::requeue});
    advance(job, event::AppAsked{k_batch, 1, 1, {}});
    advance(job, event::AppAnswered{k_batch, 1, How::marked});
    const Effects failed = advance(job, event::CommitEnded{1, some_error(), 0});
    EXPECT_FALSE(has<effect::RequeueJob>(failed));
    EXPECT_TRUE(has<effect::ContinueTree>(failed));
    ASSERT_TRUE(has<effect::AnswerOnDemand>(failed));
    EXPECT_TRUE(all<effect::AnswerOnDemand>(failed)[0].error);
}

// Its connection closes before it is seen to have ended.
TEST(App, AShimThatLeavesAsItWasToldLetsNothingRunOn) {
    JobState job = running_app_with_step();
    advance(job, event::OnDemand{true, Reason::requeue});
    advance(job, event::AppAsked{k_batch, 1, 0, {}});
    advance(job, event::AppAsked{k_task, 1, 1, {}});
    advance(job, event::TreeExited{k_task, 0});
    const Effects away = advance(job, event::ShimAway{k_task});
    EXPECT_FALSE(has<effect::ContinueTree>(away)) << "the script would get to its next line";
    EXPECT_TRUE(has<effect::RequeueJob>(advance(job, event::CommitEnded{1, std::nullopt, 0})));
}

// It comes with each SIGTERM, and to each node at its own time.
TEST(App, ASigcontThatComesLateToOneNodeSetsNothingGoing) {
    JobState job = running_app_with_step();
    advance(job, event::TermArrived{k_task});
    const Effects known = advance(job, event::CauseKnown{Cause::requeued, false});
    EXPECT_TRUE(has<effect::AskApp>(known));
    EXPECT_EQ(all<effect::Stand>(known).size(), 2U) << "the script's shim too, which has had no signal yet";
}

TEST(App, WhatHasNotComeAboutIsNotSaidToHave) {
    for (const Reason reason : {Reason::requeue, Reason::vacate}) {
        JobState job = running_app();
        advance(job, event::OnDemand{true, reason});
        advance(job, event::AppAsked{k_batch, 1, 1, {}});
        advance(job, event::AppAnswered{k_batch, 1, How::marked});
        EXPECT_TRUE(has<effect::ContinueTree>(advance(job, event::ShimAway{k_batch})));
        const Effects saved = advance(job, event::CommitEnded{1, std::nullopt, 0});
        EXPECT_FALSE(has<effect::RequeueJob>(saved) || has<effect::CancelJob>(saved));
        ASSERT_EQ(all<effect::AnswerOnDemand>(saved).size(), 1U);
        EXPECT_THAT(all<effect::AnswerOnDemand>(saved)[0].error.value_or(Error{}).what,
                    HasSubstr("generation 1 is saved, and the job runs on"));
    }
}

TEST(App, WhoDiesOfAFaultHasNotSavedItself) {
    for (const TaskKey dead : {k_batch, k_task}) {
        JobState job = running_app_with_step();
        advance(job, event::OnDemand{});
        advance(job, event::AppAsked{k_batch, 1, dead == k_batch ? 1U : 0U, {}});
        if (dead == k_task) advance(job, event::AppAsked{k_task, 1, 1, {}});
        Effects died = advance(job, event::TreeExited{dead, SIGSEGV});
        if (dead == k_batch) died = advance(job, event::TaskGone{k_task, {}});
        ASSERT_TRUE(has<effect::AnswerOnDemand>(died));
        EXPECT_EQ(all<effect::AnswerOnDemand>(died)[0].error.value_or(Error{}).code, Code::program_fault);
        EXPECT_FALSE(has<effect::Commit>(died));
    }
}

TEST(App, BehindItsMarkerNothingOfItGoesOnWhenItIsToEnd) {
    JobState job = running_app_with_step();
    advance(job, event::OnDemand{true, Reason::requeue});
    advance(job, event::AppAsked{k_batch, 1, 0, {}});
    advance(job, event::AppAsked{k_task, 1, 1, {}});
    const Effects marked = advance(job, event::AppAnswered{k_batch, 1, How::marked});
    std::size_t stopped = 0;
    for (const effect::Stand& stand : all<effect::Stand>(marked))
        stopped += stand.stops ? 1U : 0U;
    EXPECT_EQ(stopped, 2U);
    JobState on_demand = running_app();
    advance(on_demand, event::OnDemand{});
    advance(on_demand, event::AppAsked{k_batch, 1, 1, {}});
    EXPECT_FALSE(has<effect::Stand>(advance(on_demand, event::AppAnswered{k_batch, 1, How::marked})));
}

TEST(App, ACancelledOneGetsItsSigtermDuringAQuestionToo) {
    JobState job = running_app();
    advance(job, event::OnDemand{});
    advance(job, event::AppAsked{k_batch, 1, 1, {}});
    advance(job, event::TermArrived{k_batch});
    const Effects known = advance(job, event::CauseKnown{Cause::cancelled, false});
    EXPECT_TRUE(has<effect::RelayTerm>(known));
    EXPECT_TRUE(has<effect::AnswerOnDemand>(known)) << "who has asked hears of it";
}

TEST(App, StartsAgainFromItsBeginningWithTheNumberThatWasNoted) {
    JobState job = running_app(4, 1);
    EXPECT_EQ(job.saved, 4U);
    EXPECT_EQ(job.restored_from, 4U);
    const Effects near = advance(job, event::LimitKnown{Limit::near, true});
    ASSERT_EQ(all<effect::AskApp>(near).size(), 1U);
    EXPECT_EQ(all<effect::AskApp>(near)[0].generation, 5U);
}

TEST(App, IsHeldForNothingButTooManyRestarts) {
    JobState job = fresh_app();
    job.restart_count = job.plan.max_restarts.value + 1;
    EXPECT_TRUE(has<effect::HoldJob>(advance(job, event::ShimArrived{k_batch})));
}

TEST(App, BeforeItsTimeLimitItIsAskedSavedAndRequeued) {
    JobState job = running_app();
    const Effects near = advance(job, event::LimitKnown{Limit::near, true});
    EXPECT_FALSE(has<effect::Dump>(near));
    ASSERT_EQ(all<effect::AskApp>(near).size(), 1U);
    EXPECT_TRUE(all<effect::AskApp>(near)[0].is_last);
    EXPECT_EQ(all<effect::AskApp>(near)[0].signal, SIGUSR1);
    advance(job, event::AppAsked{k_batch, 1, 1, {}});
    const Effects ended = advance(job, event::AppAnswered{k_batch, 1, How::ended});
    EXPECT_TRUE(has<effect::Commit>(ended));
    const Effects noted = advance(job, event::CommitEnded{1, std::nullopt, 0});
    EXPECT_TRUE(has<effect::RequeueJob>(noted));
    EXPECT_EQ(all<effect::Say>(noted)[0].line, "generation 1 saved by the program");
    const Effects requeued = advance(job, event::RequeueEnded{});
    EXPECT_TRUE(has<effect::KillTree>(requeued));
    EXPECT_FALSE(has<effect::RecordStop>(requeued)); // nothing of it is in the store
    EXPECT_TRUE(has<effect::LetShimLeave>(requeued));
}

// Its script handles the signal itself and exits; to Slurm the job would have completed.
TEST(App, AScriptThatEndsForItWaitsForTheRequeue) {
    JobState job = asked_app();
    const Effects exited = advance(job, event::TreeExited{k_batch, 0});
    EXPECT_TRUE(has<effect::Commit>(exited));
    EXPECT_FALSE(has<effect::LetShimLeave>(exited));
    EXPECT_FALSE(has<effect::RecordCompletion>(exited));
    EXPECT_TRUE(has<effect::RequeueJob>(advance(job, event::CommitEnded{1, std::nullopt, 0})));
    EXPECT_TRUE(has<effect::LetShimLeave>(advance(job, event::RequeueEnded{})));
}

TEST(App, AScriptThatHasEndedForItHasEndedByItselfWhenTheRequeueIsRefused) {
    JobState job = asked_app();
    advance(job, event::TreeExited{k_batch, 0});
    advance(job, event::CommitEnded{1, std::nullopt, 0});
    const Effects refused = advance(job, event::RequeueEnded{some_error()});
    EXPECT_EQ(all<effect::RecordCompletion>(refused).size(), 1U);
    EXPECT_TRUE(has<effect::LetShimLeave>(advance(job, event::CompletionRecorded{})));
}

TEST(App, ThatDiesInsteadOfSavingItselfIsNotRequeued) {
    JobState job = asked_app();
    const Effects died = advance(job, event::TreeExited{k_batch, SIGSEGV});
    EXPECT_FALSE(has<effect::Commit>(died));
    EXPECT_FALSE(has<effect::RecordFailure>(died));
    EXPECT_TRUE(has<effect::LetShimLeave>(died));
}

TEST(App, ThatStaysSilentRunsOn) {
    JobState job = asked_app();
    const Effects silent = advance(job, event::AppAnswered{k_batch, 1, How::silent, 90});
    EXPECT_TRUE(has<effect::ContinueTree>(silent));
    EXPECT_FALSE(has<effect::RequeueJob>(silent));
    ASSERT_TRUE(has<effect::Say>(silent));
    EXPECT_EQ(
        all<effect::Say>(silent)[0].line,
        "asked with SIGUSR1 to save itself, the program has neither ended nor made its marker within 90s "
        "[CKPT-406]; the job runs on");
}

TEST(App, WithoutAHandlerRunsOnAndHearsWhy) {
    JobState job = running_app();
    advance(job, event::LimitKnown{Limit::near, true});
    const Effects deaf = advance(job, event::AppAsked{k_batch, 1, 0, {}});
    EXPECT_TRUE(has<effect::ContinueTree>(deaf));
    ASSERT_TRUE(has<effect::Say>(deaf));
    EXPECT_THAT(all<effect::Say>(deaf)[0].line, HasSubstr("no process of the job handles SIGUSR1"));
}

TEST(App, OfAStepIsAskedOnceItsScriptHoldsBackTheEndOfItsSrun) {
    JobState job = running_app_with_step();
    const Effects near = advance(job, event::LimitKnown{Limit::near, true});
    ASSERT_EQ(all<effect::AskApp>(near).size(), 1U);
    EXPECT_EQ(all<effect::AskApp>(near)[0].task, k_batch);
    const Effects script = advance(job, event::AppAsked{k_batch, 1, 0, {}});
    ASSERT_EQ(all<effect::AskApp>(script).size(), 1U);
    EXPECT_EQ(all<effect::AskApp>(script)[0].task, k_task);
    EXPECT_FALSE(has<effect::Commit>(advance(job, event::AppAsked{k_task, 1, 1, {}})));
    const Effects ended = advance(job, event::TreeExited{k_task, 0});
    EXPECT_TRUE(has<effect::Commit>(ended));
    EXPECT_TRUE(has<effect::LetShimLeave>(ended)); // a step that ends is the script's to hear of, later
}

TEST(App, OfAStepBelowMpirunIsTheirsToTell) {
    JobState job = running_app_with_step();
    advance(job, event::LimitKnown{Limit::near, true});
    EXPECT_FALSE(has<effect::AskApp>(advance(job, event::AppAsked{k_batch, 1, 1, {}, {7}})));
    EXPECT_TRUE(has<effect::Commit>(advance(job, event::AppAnswered{k_batch, 1, How::ended})));
}

TEST(App, OfAStepThatIsGoneHasSavedItself) {
    JobState job = running_app_with_step();
    advance(job, event::LimitKnown{Limit::near, true});
    advance(job, event::AppAsked{k_batch, 1, 0, {}});
    advance(job, event::AppAsked{k_task, 1, 1, {}});
    EXPECT_TRUE(has<effect::Commit>(advance(job, event::TaskGone{k_task, {}})));
}

TEST(App, AMarkerStandsForAllItsTasks) {
    JobState job = running_app_with_step();
    advance(job, event::LimitKnown{Limit::near, true});
    advance(job, event::AppAsked{k_batch, 1, 0, {}});
    advance(job, event::AppAsked{k_task, 1, 1, {}});
    EXPECT_TRUE(has<effect::Commit>(advance(job, event::AppAnswered{k_batch, 1, How::marked})));
    EXPECT_FALSE(has<effect::Commit>(advance(job, event::AppAnswered{k_task, 1, How::ended})));
}

TEST(App, AMarkerOfATaskIsNoMarker) {
    JobState job = running_app_with_step();
    advance(job, event::LimitKnown{Limit::near, true});
    advance(job, event::AppAsked{k_batch, 1, 1, {}});
    EXPECT_FALSE(has<effect::Commit>(advance(job, event::AppAnswered{k_task, 1, How::marked})));
}

TEST(App, AnObstacleIsSaidAndNobodyElseIsAsked) {
    JobState job = running_app_with_step();
    advance(job, event::LimitKnown{Limit::near, true});
    const Effects out = advance(job, event::AppAsked{k_batch, 1, 0, "an srun is in the way"});
    EXPECT_FALSE(has<effect::AskApp>(out));
    ASSERT_TRUE(has<effect::Say>(out));
    EXPECT_THAT(all<effect::Say>(out)[0].line, HasSubstr("an srun is in the way"));
    EXPECT_FALSE(job.taking);
}

TEST(App, AtARequeueItIsAskedWhileTheSigtermIsHeldBack) {
    JobState job = running_app();
    EXPECT_TRUE(has<effect::HoldBackTerm>(advance(job, event::TermArrived{k_batch})));
    EXPECT_FALSE(has<effect::AskApp>(advance(job, event::CauseGraceElapsed{}))) << "it may be a scancel";
    EXPECT_TRUE(has<effect::AskApp>(advance(job, event::CauseKnown{Cause::requeued, true})));
    advance(job, event::AppAsked{k_batch, 1, 1, {}});
    const Effects ended = advance(job, event::AppAnswered{k_batch, 1, How::ended});
    EXPECT_TRUE(has<effect::KillTree>(ended)); // the script, which stands still
    EXPECT_TRUE(has<effect::Commit>(ended));
    EXPECT_TRUE(has<effect::LetShimLeave>(advance(job, event::CommitEnded{1, std::nullopt, 0})));
}

TEST(App, ThatStaysSilentAtARequeueGetsItsSigterm) {
    JobState job = running_app();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::requeued, true});
    advance(job, event::AppAsked{k_batch, 1, 1, {}});
    const Effects silent = advance(job, event::AppAnswered{k_batch, 1, How::silent, 20});
    EXPECT_TRUE(has<effect::ContinueTree>(silent));
    EXPECT_TRUE(has<effect::RelayTerm>(silent));
}

TEST(App, IsNotAskedByACancelOrAnEndThatNobodyCanExplain) {
    for (const Cause cause : {Cause::cancelled, Cause::unknown, Cause::running}) {
        JobState job = running_app();
        advance(job, event::TermArrived{k_batch});
        const Effects out = advance(job, event::CauseKnown{cause, true});
        EXPECT_FALSE(has<effect::AskApp>(out));
        EXPECT_TRUE(has<effect::RelayTerm>(out));
    }
}

TEST(App, ALimitThatCameUnseenRequeuesItWhenAnEarlierGenerationIsThere) {
    JobState job = running_app(2, 1);
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::timelimit, true});
    advance(job, event::AppAsked{k_batch, 3, 1, {}});
    const Effects silent = advance(job, event::AppAnswered{k_batch, 3, How::silent, 20});
    EXPECT_TRUE(has<effect::RelayTerm>(silent));
    EXPECT_TRUE(has<effect::RequeueJob>(silent));
}

TEST(App, AnIntervalThatNobodyAnswersIsSaidOnce) {
    JobState job = running_app();
    std::size_t said = 0;
    for (std::uint32_t generation = 1; generation <= 3; ++generation) {
        const Effects due = advance(job, event::IntervalElapsed{});
        ASSERT_EQ(all<effect::AskApp>(due).size(), 1U);
        EXPECT_FALSE(all<effect::AskApp>(due)[0].is_last);
        advance(job, event::AppAsked{k_batch, generation, 1, {}});
        const Effects silent = advance(job, event::AppAnswered{k_batch, generation, How::silent, 120});
        EXPECT_FALSE(has<effect::ContinueTree>(silent)) << "nothing was stopped";
        EXPECT_TRUE(has<effect::ArmInterval>(silent));
        said += all<effect::Say>(silent).size();
    }
    EXPECT_EQ(said, 1U);
}

TEST(App, OnDemandAnswersWhatIsKnown) {
    JobState job = running_app();
    EXPECT_TRUE(has<effect::AskApp>(advance(job, event::OnDemand{})));
    advance(job, event::AppAsked{k_batch, 1, 1, {}});
    EXPECT_TRUE(has<effect::Commit>(advance(job, event::AppAnswered{k_batch, 1, How::marked})));
    const Effects noted = advance(job, event::CommitEnded{1, std::nullopt, 0});
    ASSERT_EQ(all<effect::AnswerOnDemand>(noted).size(), 1U);
    EXPECT_EQ(all<effect::AnswerOnDemand>(noted)[0].generation, 1U);
}

TEST(App, AnAnswerThatMayNeverComeDoesNotKeepTheLastOneWaiting) {
    JobState job = running_app();
    advance(job, event::OnDemand{});
    advance(job, event::AppAsked{k_batch, 1, 1, {}});
    const Effects near = advance(job, event::LimitKnown{Limit::near, true});
    ASSERT_EQ(all<effect::AskApp>(near).size(), 1U);
    EXPECT_TRUE(all<effect::AskApp>(near)[0].is_last);
    ASSERT_EQ(all<effect::AnswerOnDemand>(near).size(), 1U);
    EXPECT_TRUE(all<effect::AnswerOnDemand>(near)[0].error);
}

TEST(App, AskedToBeRequeuedItIsAskedSavedAndRequeued) {
    JobState job = running_app();
    const Effects asked = advance(job, event::OnDemand{true, Reason::requeue});
    ASSERT_EQ(all<effect::AskApp>(asked).size(), 1U);
    EXPECT_TRUE(all<effect::AskApp>(asked)[0].is_last);
    advance(job, event::AppAsked{k_batch, 1, 1, {}});
    advance(job, event::TreeExited{k_batch, 0});
    EXPECT_TRUE(has<effect::RequeueJob>(advance(job, event::CommitEnded{1, std::nullopt, 0})));
    const Effects requeued = advance(job, event::RequeueEnded{});
    EXPECT_TRUE(has<effect::LetShimLeave>(requeued));
    ASSERT_EQ(all<effect::AnswerOnDemand>(requeued).size(), 1U);
    EXPECT_EQ(all<effect::AnswerOnDemand>(requeued)[0].generation, 1U);
}

TEST(App, AskedToGiveItsNodesUpItIsNotSaidToGoOnFromTheStore) {
    JobState job = running_app();
    advance(job, event::OnDemand{true, Reason::vacate});
    advance(job, event::AppAsked{k_batch, 1, 1, {}});
    advance(job, event::AppAnswered{k_batch, 1, How::ended});
    EXPECT_TRUE(has<effect::CancelJob>(advance(job, event::CommitEnded{1, std::nullopt, 0})));
    const Effects gone = advance(job, event::CancelEnded{});
    ASSERT_TRUE(has<effect::Say>(gone));
    EXPECT_EQ(all<effect::Say>(gone).back().line,
              "the job gives its nodes up; the program has saved generation 1");
}

TEST(App, UnderASettingWithoutCheckpointsItRunsAlone) {
    JobState job = fresh_app();
    job.restart_count = 1;
    job.unmanaged = Error{Code::unsupported_setting, "a setting", "", 0};
    const Effects out = advance(job, event::ShimArrived{k_batch});
    ASSERT_EQ(all<effect::StartTask>(out).size(), 1U);
    EXPECT_EQ(all<effect::StartTask>(out)[0].start, effect::Start::alone);
}

} // namespace
} // namespace ckpt
