// SPDX-License-Identifier: GPL-2.0-or-later
// A generation of a job with steps is one cut of all its trees, or none.
#include <gtest/gtest.h>

#include <csignal>

#include "daemon_state_testbed.hpp"

namespace ckpt {
namespace {

using namespace state_test;

constexpr std::uint64_t k_srun = 0xabcdef;
constexpr TaskKey k_first{0, 0};
constexpr TaskKey k_second{0, 1};

JobState job_with_step(std::uint32_t step_nodes = 1) {
    JobState job = fresh_job();
    advance(job, event::ShimArrived{k_batch, true});
    advance(job, event::TreeStarted{k_batch});
    for (const TaskKey& key : {k_first, k_second})
        advance(job, event::TaskRegistered{key, k_srun, {2, step_nodes, 0}});
    for (const TaskKey& key : {k_first, k_second}) {
        advance(job, event::ShimArrived{key, true});
        advance(job, event::TreeStarted{key});
    }
    return job;
}

std::vector<TaskKey> let_go(const Effects& effects) {
    std::vector<TaskKey> keys;
    for (const auto& one : all<effect::DumpGoOn>(effects))
        if (!one.give_up) keys.push_back(one.task);
    return keys;
}

std::vector<TaskKey> given_up(const Effects& effects) {
    std::vector<TaskKey> keys;
    for (const auto& one : all<effect::DumpGoOn>(effects))
        if (one.give_up) keys.push_back(one.task);
    return keys;
}

const std::vector<TaskKey> k_all{k_first, k_second, k_batch};

void stop_all(JobState& job) {
    for (const TaskKey& key : k_all)
        advance(job, event::DumpStopped{key, job.last_generation});
}

TEST(Cut, EveryTreeStandsStillBeforeTheFirstIsDumped) {
    JobState job = job_with_step();
    const auto dumps = all<effect::Dump>(advance(job, event::IntervalElapsed{}));
    ASSERT_EQ(dumps.size(), 3U);
    EXPECT_TRUE(dumps[0].together);
    EXPECT_TRUE(advance(job, event::DumpStopped{k_batch, 1}).empty());
    EXPECT_TRUE(advance(job, event::DumpStopped{k_first, 1}).empty());
    const Effects stopped = advance(job, event::DumpStopped{k_second, 1});
    EXPECT_TRUE(has<effect::Settle>(stopped));
    EXPECT_FALSE(has<effect::DumpGoOn>(stopped)) << "bytes are on their way";
    EXPECT_EQ(let_go(advance(job, event::SettleEnded{1, std::nullopt})), k_all);
}

TEST(Cut, NoTreeRunsOnBeforeTheLastIsTaken) {
    JobState job = job_with_step();
    advance(job, event::IntervalElapsed{});
    stop_all(job);
    advance(job, event::SettleEnded{1, std::nullopt});
    EXPECT_TRUE(advance(job, event::DumpTaken{k_first, 1}).empty());
    EXPECT_TRUE(advance(job, event::DumpTaken{k_batch, 1}).empty());
    EXPECT_EQ(let_go(advance(job, event::DumpTaken{k_second, 1})), k_all);
    EXPECT_FALSE(has<effect::Commit>(advance(job, event::DumpEnded{k_first, std::nullopt, 1, 1})));
    EXPECT_FALSE(has<effect::Commit>(advance(job, event::DumpEnded{k_second, std::nullopt, 1, 1})));
    const Effects taken = advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_TRUE(has<effect::Commit>(taken));
    EXPECT_TRUE(has<effect::Proceed>(taken));
}

TEST(Cut, OneThatCannotBeStoppedGivesUpAll) {
    JobState job = job_with_step();
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpStopped{k_batch, 1});
    EXPECT_EQ(given_up(advance(job, event::DumpEnded{k_first, some_error(), 0, 0})), std::vector{k_batch});
    EXPECT_EQ(given_up(advance(job, event::DumpStopped{k_second, 1})), std::vector{k_second})
        << "it comes late";
    advance(job, event::DumpEnded{k_batch, some_error(), 0, 0});
    const Effects over = advance(job, event::DumpEnded{k_second, some_error(), 0, 0});
    EXPECT_TRUE(has<effect::DiscardImages>(over));
    EXPECT_TRUE(has<effect::Proceed>(over));
    EXPECT_FALSE(has<effect::Commit>(over));
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
}

TEST(Cut, OneThatFailsWhileItsImagesAreWrittenLetsTheOthersRunOn) {
    JobState job = job_with_step();
    advance(job, event::IntervalElapsed{});
    stop_all(job);
    advance(job, event::SettleEnded{1, std::nullopt});
    advance(job, event::DumpTaken{k_batch, 1});
    EXPECT_EQ(given_up(advance(job, event::DumpEnded{k_first, some_error(), 0, 0})), std::vector{k_batch});
    EXPECT_EQ(given_up(advance(job, event::DumpTaken{k_second, 1})), std::vector{k_second});
    advance(job, event::DumpEnded{k_batch, some_error(), 0, 0});
    EXPECT_FALSE(has<effect::Commit>(advance(job, event::DumpEnded{k_second, std::nullopt, 1, 1})));
}

TEST(Cut, WhatDoesNotComeToRestGivesUpAll) {
    JobState job = job_with_step();
    advance(job, event::IntervalElapsed{});
    stop_all(job);
    EXPECT_EQ(given_up(advance(job, event::SettleEnded{1, some_error()})), k_all);
}

TEST(Cut, AnswersToAnEarlierOneAreNotTakenForThisOne) {
    JobState job = job_with_step();
    advance(job, event::IntervalElapsed{});
    EXPECT_EQ(given_up(advance(job, event::DumpStopped{k_first, 7})), std::vector{k_first});
    stop_all(job);
    EXPECT_TRUE(advance(job, event::SettleEnded{7, std::nullopt}).empty());
    EXPECT_EQ(let_go(advance(job, event::DumpTaken{k_first, 7})), std::vector{k_first});
}

TEST(Cut, ATaskThatEndsJustBeforeIsPartOfItWithItsStatus) {
    JobState job = job_with_step();
    advance(job, event::IntervalElapsed{});
    const Error gone{Code::not_found, "the job's processes have ended", "", 0};
    advance(job, event::DumpStopped{k_batch, 1});
    advance(job, event::DumpEnded{k_first, gone, 0, 0});
    EXPECT_FALSE(has<effect::Settle>(advance(job, event::DumpStopped{k_second, 1})))
        << "how it ended is not known yet";
    EXPECT_TRUE(has<effect::Settle>(advance(job, event::TreeExited{k_first, 3 << 8})));
    advance(job, event::SettleEnded{1, std::nullopt});
    advance(job, event::DumpTaken{k_batch, 1});
    advance(job, event::DumpTaken{k_second, 1});
    advance(job, event::DumpEnded{k_second, std::nullopt, 1, 1});
    EXPECT_TRUE(has<effect::Commit>(advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1})));
    const std::vector<StepExit> exited{{{k_srun, 0}, 3 << 8}};
    EXPECT_EQ(job.committing.at(1).exited, exited);
}

TEST(Cut, ATaskWhoseShimIsKilledIsPartOfItToo) {
    JobState job = job_with_step();
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpStopped{k_batch, 1});
    advance(job, event::DumpStopped{k_second, 1});
    EXPECT_TRUE(has<effect::Settle>(advance(job, event::TaskGone{k_first, {}})));
    EXPECT_EQ(job.tasks.at(k_first).exit_status, 9);
}

TEST(Cut, TheScriptsOwnEndEndsIt) {
    JobState job = job_with_step();
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpStopped{k_first, 1});
    advance(job, event::DumpStopped{k_second, 1});
    const Error gone{Code::not_found, "the job's processes have ended", "", 0};
    EXPECT_EQ(given_up(advance(job, event::DumpEnded{k_batch, gone, 0, 0})),
              (std::vector{k_first, k_second}));
}

TEST(Cut, AStepThatIsOnlyPartlyThereIsWaitedFor) {
    JobState job = fresh_job();
    advance(job, event::ShimArrived{k_batch, true});
    advance(job, event::TreeStarted{k_batch});
    advance(job, event::TaskRegistered{k_first, k_srun, {2, 1, 0}});
    advance(job, event::ShimArrived{k_first, true});
    advance(job, event::TreeStarted{k_first});
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
    advance(job, event::TaskRegistered{k_second, k_srun, {2, 1, 0}});
    advance(job, event::ShimArrived{k_second, true});
    EXPECT_EQ(all<effect::Dump>(advance(job, event::TreeStarted{k_second})).size(), 3U);
}

TEST(Cut, TheLastOneWaitsForAStepThatIsStartingToo) {
    JobState job = fresh_job();
    advance(job, event::ShimArrived{k_batch, true});
    advance(job, event::TreeStarted{k_batch});
    advance(job, event::TaskRegistered{k_first, k_srun, {1, 1, 0}});
    advance(job, event::TermArrived{k_batch});
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::CauseKnown{Cause::requeued, true})));
    const Effects gone = advance(job, event::TaskGone{k_first, {}});
    ASSERT_EQ(all<effect::Dump>(gone).size(), 1U) << "the SIGTERM has ended it before it began";
    EXPECT_TRUE(all<effect::Dump>(gone).front().leave_stopped);
}

// The batch script runs, and a step has been registered.
JobState job_with_coming_step(std::uint32_t tasks_here = 1) {
    JobState job = fresh_job();
    advance(job, event::ShimArrived{k_batch, true});
    advance(job, event::TreeStarted{k_batch});
    advance(job, event::TaskRegistered{k_first, k_srun, tasks_here, 1});
    return job;
}

// Advances by the end of what `effects` say how long is waited.
Effects overdue(JobState& job, const Effects& effects) {
    const auto awaited = all<effect::AwaitStarts>(effects);
    if (awaited.empty()) return {};
    return advance(job, event::StartsOverdue{awaited.front().number});
}

TEST(Cut, TheLastOneDoesNotWaitLongForATaskThatNeverSaysHello) {
    JobState job = job_with_coming_step();
    advance(job, event::TermArrived{k_batch});
    const Effects known = advance(job, event::CauseKnown{Cause::requeued, true});
    ASSERT_EQ(all<effect::AwaitStarts>(known).size(), 1U);
    EXPECT_TRUE(all<effect::AwaitStarts>(known).front().is_last);
    const Effects over = overdue(job, known);
    ASSERT_EQ(all<effect::Dump>(over).size(), 1U) << "it has run nothing";
    EXPECT_EQ(all<effect::Dump>(over).front().task, k_batch);
}

TEST(Cut, APeriodicOneNeither) {
    JobState job = job_with_coming_step();
    const Effects due = advance(job, event::IntervalElapsed{});
    EXPECT_FALSE(all<effect::AwaitStarts>(due).front().is_last);
    EXPECT_EQ(all<effect::Dump>(overdue(job, due)).size(), 1U);
    EXPECT_FALSE(has<effect::StartTask>(advance(job, event::ShimArrived{k_first, true})))
        << "it comes late, in the middle of the cut";
}

TEST(Cut, ATaskThatComesLateAndAfterItStartsAndIsWaitedForAgain) {
    JobState job = job_with_coming_step();
    overdue(job, advance(job, event::IntervalElapsed{}));
    advance(job, event::DumpStopped{k_batch, 1});
    advance(job, event::SettleEnded{1, std::nullopt});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_TRUE(has<effect::StartTask>(advance(job, event::ShimArrived{k_first, true})));
    advance(job, event::CommitEnded{1, std::nullopt, 1});
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
    EXPECT_EQ(all<effect::Dump>(advance(job, event::TreeStarted{k_first})).size(), 2U);
}

TEST(Cut, OneThatMayRunAtAnyMomentLeavesNoLastGeneration) {
    JobState job = job_with_coming_step();
    advance(job, event::ShimArrived{k_first, true}); // and never says that its tree has started
    advance(job, event::TermArrived{k_batch});
    const Effects over = overdue(job, advance(job, event::CauseKnown{Cause::requeued, true}));
    EXPECT_FALSE(has<effect::Dump>(over));
    EXPECT_TRUE(has<effect::Say>(over));
    EXPECT_TRUE(has<effect::Comment>(over)) << "nothing is saved";
    EXPECT_TRUE(has<effect::RelayTerm>(over));
}

// Of each dump that is begun, and why it is not.
using Refusals = std::vector<std::optional<Code>>;
Refusals refusals(const Effects& effects) {
    Refusals found;
    for (const auto& dump : all<effect::Dump>(effects))
        found.push_back(dump.refused ? std::optional(dump.refused->code) : std::nullopt);
    return found;
}

// Its shim could not reach us in time.
TEST(Cut, OneThatRunsWithoutUsIsNotTakenForOneThatHasNotBegun) {
    JobState job = job_with_coming_step();
    advance(job, event::IntervalElapsed{});
    const Effects due = advance(job, event::RunsWithoutUs{k_first}); // nothing waits for it
    ASSERT_EQ(refusals(due), Refusals{Code::dump_refused});
    const Effects failed =
        advance(job, event::DumpEnded{k_batch, all<effect::Dump>(due).front().refused, 0, 0});
    EXPECT_FALSE(has<effect::Commit>(failed));
    EXPECT_TRUE(has<effect::Say>(failed));
    advance(job, event::TaskGone{k_first, {}, 0});
    advance(job, event::StepOver{k_srun});
    EXPECT_EQ(refusals(advance(job, event::IntervalElapsed{})), Refusals{std::nullopt});
}

TEST(Cut, OneThatIsSeenToRunWithoutUsDuringTheCutGivesItUp) {
    JobState job = job_with_coming_step();
    overdue(job, advance(job, event::IntervalElapsed{}));
    advance(job, event::DumpStopped{k_batch, 1});
    advance(job, event::RunsWithoutUs{k_first});
    EXPECT_EQ(given_up(advance(job, event::SettleEnded{1, std::nullopt})), std::vector<TaskKey>{k_batch});
}

TEST(Cut, HowOneThatRanWithoutUsHasEndedIsPartOfTheCut) {
    JobState job = job_with_coming_step();
    advance(job, event::TaskGone{k_first, {}, 3 << 8}); // and has never said hello
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpStopped{k_batch, 1});
    advance(job, event::SettleEnded{1, std::nullopt});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_EQ(job.committing.at(1).exited, (std::vector<StepExit>{{{k_srun, 0}, 3 << 8}}));
}

TEST(Cut, OneThatWasKilledBeforeItBeganIsNot) {
    JobState job = job_with_coming_step();
    advance(job, event::TaskGone{k_first, {}, SIGTERM});
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpStopped{k_batch, 1});
    advance(job, event::SettleEnded{1, std::nullopt});
    advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_TRUE(job.committing.at(1).exited.empty()) << "it begins when the job goes on";
}

TEST(Cut, OneThatWasToldToStartAndHasGoneIsWaitedFor) {
    JobState job = job_with_coming_step();
    advance(job, event::ShimArrived{k_first, true});
    advance(job, event::ShimAway{k_first});
    const Effects over = overdue(job, advance(job, event::IntervalElapsed{}));
    EXPECT_FALSE(has<effect::Dump>(over)) << "it may run";
    EXPECT_TRUE(has<effect::AwaitStarts>(over));
    EXPECT_EQ(refusals(advance(job, event::ShimReturned{k_first, false, true})).size(), 2U);
}

TEST(Cut, OneThatAsksAgainHasRunNothing) {
    JobState job = job_with_coming_step();
    advance(job, event::ShimArrived{k_first, true});
    advance(job, event::ShimAway{k_first});
    advance(job, event::RunsWithoutUs{k_first});
    EXPECT_TRUE(has<effect::StartTask>(advance(job, event::ShimArrived{k_first, true})));
    advance(job, event::TreeStarted{k_first});
    EXPECT_EQ(refusals(advance(job, event::IntervalElapsed{})), Refusals(2));
}

TEST(Cut, TheRestOfAStepThatNeverComesIsComplainedAboutOnce) {
    JobState job = job_with_coming_step(2);
    advance(job, event::ShimArrived{k_first, true});
    advance(job, event::TreeStarted{k_first});
    Effects over = overdue(job, advance(job, event::IntervalElapsed{}));
    EXPECT_FALSE(has<effect::Dump>(over));
    EXPECT_EQ(all<effect::Say>(over).size(), 1U);
    over = overdue(job, over);
    EXPECT_FALSE(has<effect::Say>(over));
    EXPECT_TRUE(has<effect::AwaitStarts>(over));
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::TaskGone{k_first, {}, 0})))
        << "the rest may run where nobody knows of it";
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::StepOver{k_srun})));
}

TEST(Cut, WhoAsksIsAnsweredThen) {
    JobState job = job_with_coming_step();
    advance(job, event::ShimArrived{k_first, true});
    const auto answers = all<effect::AnswerOnDemand>(overdue(job, advance(job, event::OnDemand{})));
    ASSERT_EQ(answers.size(), 1U);
    ASSERT_TRUE(answers.front().error);
    EXPECT_EQ(answers.front().error->code, Code::dump_refused);
}

TEST(Cut, TheEndOfAnEarlierWaitIsNotThatOfThisOne) {
    JobState job = job_with_coming_step();
    const Effects due = advance(job, event::IntervalElapsed{});
    advance(job, event::TermArrived{k_batch});
    const Effects known = advance(job, event::CauseKnown{Cause::requeued, true});
    EXPECT_FALSE(has<effect::Dump>(overdue(job, due)));
    EXPECT_TRUE(has<effect::Dump>(overdue(job, known)));
}

TEST(Cut, ATaskOfAnEarlierDaemonMayRunThoughItsShimIsNotBack) {
    JobState job = fresh_job();
    advance(job, event::ShimArrived{k_batch, true});
    advance(job, event::TreeStarted{k_batch});
    advance(job, event::TaskRegistered{k_first, k_srun, {1, 1, 0}, true});
    Effects over = overdue(job, advance(job, event::IntervalElapsed{}));
    EXPECT_FALSE(has<effect::Dump>(over));
    EXPECT_FALSE(has<effect::Say>(over));
    EXPECT_TRUE(has<effect::AwaitStarts>(over));
    EXPECT_EQ(all<effect::Dump>(advance(job, event::ShimReturned{k_first, false, true})).size(), 2U);
}

TEST(Cut, AStepThatStartsMeanwhileWaitsAndIsNotInIt) {
    JobState job = fresh_job();
    advance(job, event::ShimArrived{k_batch, true});
    advance(job, event::TreeStarted{k_batch});
    advance(job, event::IntervalElapsed{});
    advance(job, event::TaskRegistered{k_first, k_srun, {1, 1, 0}});
    const Effects arrived = advance(job, event::ShimArrived{k_first, true});
    EXPECT_TRUE(has<effect::HoldBackTerm>(arrived)) << "its patience has no end";
    EXPECT_FALSE(has<effect::StartTask>(arrived));
    EXPECT_TRUE(has<effect::Settle>(advance(job, event::DumpStopped{k_batch, 1})));
    advance(job, event::SettleEnded{1, std::nullopt});
    const Effects taken = advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_TRUE(has<effect::Commit>(taken));
    ASSERT_EQ(all<effect::StartTask>(taken).size(), 1U);
    EXPECT_EQ(all<effect::StartTask>(taken).front().start, effect::Start::fresh);
}

TEST(Cut, AStepOnSeveralNodesIsRefusedWithTheReason) {
    JobState job = job_with_step(2);
    const auto dumps = all<effect::Dump>(advance(job, event::OnDemand{}));
    ASSERT_EQ(dumps.size(), 3U);
    ASSERT_TRUE(dumps.front().refused);
    EXPECT_EQ(dumps.front().refused->code, Code::dump_refused);
}

TEST(Cut, AfterTheLastOneNothingIsPassedOn) {
    JobState job = job_with_step();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::requeued, true});
    stop_all(job);
    advance(job, event::SettleEnded{1, std::nullopt});
    for (const TaskKey& key : k_all)
        advance(job, event::DumpTaken{key, 1});
    advance(job, event::DumpEnded{k_first, std::nullopt, 1, 1});
    advance(job, event::DumpEnded{k_second, std::nullopt, 1, 1});
    const Effects taken = advance(job, event::DumpEnded{k_batch, std::nullopt, 1, 1});
    EXPECT_FALSE(has<effect::Proceed>(taken));
    EXPECT_EQ(all<effect::KillTree>(taken).size(), 3U);
}

TEST(Cut, AStepThatComesBackInTheMiddleWasNotStopped) {
    JobState job = job_with_step();
    advance(job, event::IntervalElapsed{});
    stop_all(job);
    constexpr TaskKey k_late{1, 0};
    advance(job, event::TaskRegistered{k_late, k_srun + 1, {1, 1, 0}, true});
    advance(job, event::ShimReturned{k_late, false, true});
    EXPECT_EQ(given_up(advance(job, event::SettleEnded{1, std::nullopt})), k_all);
}

TEST(Cut, IsGivenUpBeforeAnythingIsDumpedIfATreeCannotBeRestoredBesideAnother) {
    JobState job = job_with_step();
    advance(job, event::IntervalElapsed{});
    advance(job, event::DumpStopped{k_first, 1});
    EXPECT_EQ(given_up(advance(job, event::DumpStopped{k_second, 1, some_error()})),
              (std::vector{k_first, k_second}));
    EXPECT_EQ(given_up(advance(job, event::DumpStopped{k_batch, 1})), std::vector{k_batch});
}

TEST(Cut, ADumpOfAnEarlierOneIsNoneOfThis) {
    JobState job = job_with_step();
    advance(job, event::IntervalElapsed{});
    for (const TaskKey& key : k_all)
        advance(job, event::DumpEnded{key, some_error(), 0, 0, 1});
    advance(job, event::IntervalElapsed{});
    ASSERT_EQ(job.last_generation, 2U);
    advance(job, event::DumpEnded{k_first, std::nullopt, 1, 1, 1});
    EXPECT_TRUE(job.taking->missing.contains(k_first));
}

// The ckptd of another node has lost us, and has let its tree go.
TEST(Cut, OfTreesThatMayHaveRunOnIsNotOneOfStoppedTrees) {
    JobState job = job_with_step();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseGraceElapsed{});
    stop_all(job);
    advance(job, event::SettleEnded{1, std::nullopt});
    for (const TaskKey& key : k_all)
        advance(job, event::DumpTaken{key, 1});
    for (const TaskKey& key : k_all)
        advance(job, event::DumpEnded{key, std::nullopt, 1, 1, 1});
    advance(job, event::ShimAway{k_second});
    const Effects settled = advance(job, event::CauseKnown{Cause::requeued});
    ASSERT_EQ(all<effect::Commit>(settled).size(), 1U);
    EXPECT_FALSE(all<effect::Commit>(settled)[0].tree_was_stopped);
    EXPECT_TRUE(has<effect::KillTree>(advance(job, event::ShimReturned{k_second, false, true})))
        << "it was not told";
}

} // namespace
} // namespace ckpt
