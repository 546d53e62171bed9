// SPDX-License-Identifier: GPL-2.0-or-later
// What the daemon does with what the script's shim says of its sruns.
#include <gtest/gtest.h>

#include <csignal>

#include "daemon/settle_round.hpp"
#include "daemon_state_testbed.hpp"

namespace ckpt {
namespace {

using namespace state_test;

constexpr std::uint64_t k_srun = 0x1234;
constexpr std::uint64_t k_other_srun = 0x5678;
constexpr TaskKey k_task{3, 0};

JobState script() {
    JobState job = fresh_job();
    advance(job, event::ShimArrived{k_batch, true});
    advance(job, event::TreeStarted{k_batch});
    return job;
}

void start_step(JobState& job, std::uint32_t tasks_here = 1) {
    advance(job, event::TaskRegistered{k_task, k_srun, tasks_here, 1});
    advance(job, event::ShimArrived{k_task, true});
    advance(job, event::TreeStarted{k_task});
}

// Restored, and its srun has not asked for its step yet.
JobState restored_script(std::map<StepTask, std::optional<int>> steps) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch, true});
    auto found = found_generation(4);
    found.steps = std::move(steps);
    advance(job, found);
    advance(job, event::RestoreEnded{k_batch, std::nullopt, 0, 4, "1 min", "n1", {}});
    return job;
}

bool is_cleared(const Effects& effects) {
    const auto cleared = all<effect::ClearStep>(effects);
    return cleared.size() == 1 && cleared.front().stand_in == k_srun;
}

// ---- steps that run without us ----

TEST(Sruns, AStepThatIsUnfitIsAReasonForNoCheckpoint) {
    JobState job = script();
    start_step(job, 200); // the other tasks were refused
    advance(job, event::StepUnfit{k_srun});
    const auto dumps = all<effect::Dump>(advance(job, event::OnDemand{}));
    ASSERT_EQ(dumps.size(), 2U) << "what is refused does not come later";
    ASSERT_TRUE(dumps.front().refused);
    EXPECT_EQ(dumps.front().refused->code, Code::dump_refused);
}

TEST(Sruns, WhenItIsOverItIsNoneAnyMore) {
    JobState job = script();
    advance(job, event::StepUnfit{k_srun});
    advance(job, event::StepOver{k_srun});
    const auto dumps = all<effect::Dump>(advance(job, event::IntervalElapsed{}));
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_FALSE(dumps.front().refused);
}

TEST(Sruns, WhatIsSaidOfThemWhenTheyAreOverIsLate) {
    JobState job = script();
    advance(job, event::StepOver{k_srun});
    advance(job, event::StepUnfit{k_srun});
    EXPECT_TRUE(job.unfit.empty());
    start_step(job);
    advance(job, event::TreeExited{k_task, 0});
    EXPECT_TRUE(has<effect::ForgetTask>(advance(job, event::TaskGone{k_task, {}})));
}

TEST(Sruns, AStepThatBecomesUnfitInACutIsTheEndOfIt) {
    JobState job = script();
    advance(job, event::IntervalElapsed{});
    advance(job, event::StepUnfit{k_srun});
    const auto answers = all<effect::DumpGoOn>(advance(job, event::DumpStopped{k_batch, 1}));
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_TRUE(answers.front().give_up);
}

// ---- which there are ----

TEST(Sruns, ThatTheShimDoesNotNameAreNotAwaited) {
    JobState job = restored_script({{{k_srun, 0}, std::nullopt}, {{k_other_srun, 0}, std::nullopt}});
    advance(job, event::OnDemand{});
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::StepsKnown{{k_srun}})));
    const Effects known = advance(job, event::StepsKnown{{}});
    EXPECT_TRUE(has<effect::Proceed>(known));
    EXPECT_TRUE(has<effect::Dump>(known));
}

TEST(Sruns, NorAreTheirTasksKept) {
    JobState job = script();
    start_step(job);
    advance(job, event::TreeExited{k_task, 0});
    advance(job, event::TaskGone{k_task, {}});
    EXPECT_TRUE(job.tasks.contains(k_task));
    EXPECT_FALSE(has<effect::ForgetTask>(advance(job, event::StepsKnown{{k_srun}})));
    const Effects known = advance(job, event::StepsKnown{{}});
    EXPECT_TRUE(has<effect::ForgetTask>(known));
    EXPECT_TRUE(has<effect::ForgetStep>(known));
}

TEST(Sruns, AShimThatSaysWhichInTheMiddleOfACutDoesNotEndIt) {
    JobState job = script();
    advance(job, event::IntervalElapsed{});
    EXPECT_FALSE(has<effect::Proceed>(advance(job, event::StepsKnown{{}})));
}

TEST(Sruns, WithoutTheScriptThereIsNothingToSave) {
    JobState job = script();
    start_step(job);
    advance(job, event::TreeExited{k_batch, 0});
    advance(job, event::CompletionRecorded{});
    const Effects asked = advance(job, event::OnDemand{});
    EXPECT_FALSE(has<effect::Dump>(asked));
    ASSERT_EQ(all<effect::AnswerOnDemand>(asked).size(), 1U);
    EXPECT_TRUE(all<effect::AnswerOnDemand>(asked).front().error);
}

// ---- which have failed ----

TEST(Doubt, AStepWhoseTasksHadBegunHasFailedByItself) {
    JobState job = script();
    start_step(job);
    EXPECT_TRUE(is_cleared(advance(job, event::StepDoubted{k_srun, false})));
}

TEST(Doubt, OneWhoseTasksWereKilledBeforeTheyBeganMayHaveMetTheJobsEnd) {
    JobState job = script();
    advance(job, event::TaskRegistered{k_task, k_srun, {1, 1, 0}});
    advance(job, event::TaskGone{k_task, {}, SIGTERM});
    EXPECT_TRUE(has<effect::AskDoubt>(advance(job, event::StepDoubted{k_srun, false})));
    EXPECT_TRUE(advance(job, event::DoubtKnown{k_srun, false, Cause::requeued}).empty())
        << "its SIGTERM comes";
}

TEST(Doubt, OneQuestionAtATimeGoesToSlurmctld) {
    JobState job = script();
    EXPECT_TRUE(has<effect::AskDoubt>(advance(job, event::StepDoubted{k_srun, false})));
    for (int i = 0; i < 100; ++i)
        EXPECT_FALSE(has<effect::AskDoubt>(advance(job, event::StepDoubted{k_other_srun, false})));
    const Effects known = advance(job, event::DoubtKnown{k_srun, false, Cause::running});
    EXPECT_TRUE(is_cleared(known));
    ASSERT_EQ(all<effect::AskDoubt>(known).size(), 1U);
    EXPECT_EQ(all<effect::AskDoubt>(known).front().stand_in, k_other_srun);
    EXPECT_FALSE(has<effect::AskDoubt>(advance(job, event::DoubtKnown{k_other_srun, false, Cause::running})));
    EXPECT_TRUE(has<effect::AskDoubt>(advance(job, event::StepDoubted{k_srun, false})));
}

TEST(Doubt, SlurmctldSaysWhetherAnotherIsTheJobsEnd) {
    for (const Cause cause : {Cause::running, Cause::unknown}) {
        JobState job = script();
        EXPECT_TRUE(has<effect::AskDoubt>(advance(job, event::StepDoubted{k_srun, false})));
        EXPECT_TRUE(is_cleared(advance(job, event::DoubtKnown{k_srun, false, cause})));
    }
    for (const Cause cause :
         {Cause::requeued, Cause::preempted, Cause::preempted_for_good, Cause::timelimit, Cause::cancelled}) {
        JobState job = script();
        EXPECT_TRUE(advance(job, event::DoubtKnown{k_srun, false, cause}).empty()) << "its SIGTERM comes";
    }
}

TEST(Doubt, ARestoredStepThatCannotBeStartedHoldsTheJob) {
    JobState job = restored_script({{{k_srun, 0}, std::nullopt}});
    advance(job, event::StepDoubted{k_srun, false});
    const Effects known = advance(job, event::DoubtKnown{k_srun, false, Cause::running});
    EXPECT_FALSE(has<effect::ClearStep>(known)) << "the script would go on with a failure of ours";
    ASSERT_EQ(all<effect::HoldJob>(known).size(), 1U);
    EXPECT_EQ(all<effect::Say>(known).size(), 1U);
    EXPECT_TRUE(is_to_be_held(job));
    const Effects again =
        advance(job, event::HoldEnded{all<effect::HoldJob>(known).front().reason, some_error()});
    ASSERT_EQ(all<effect::HoldJob>(again).size(), 1U);
    EXPECT_TRUE(all<effect::HoldJob>(again).front().again);
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
}

TEST(Doubt, TwoOfThemHoldItOnce) {
    JobState job = restored_script({{{k_srun, 0}, std::nullopt}, {{k_other_srun, 0}, std::nullopt}});
    advance(job, event::DoubtKnown{k_srun, false, Cause::running});
    EXPECT_TRUE(advance(job, event::DoubtKnown{k_other_srun, false, Cause::running}).empty());
}

TEST(Doubt, OneThatTheScriptHasEndedIsTheScriptsAffair) {
    JobState job = restored_script({{{k_srun, 0}, std::nullopt}});
    EXPECT_TRUE(is_cleared(advance(job, event::DoubtKnown{k_srun, true, Cause::running})));
}

TEST(Doubt, AStepOfWhichTheCheckpointHasNothingFailsAsEver) {
    JobState job = restored_script({{{k_other_srun, 0}, std::nullopt}});
    EXPECT_TRUE(is_cleared(advance(job, event::DoubtKnown{k_srun, false, Cause::running})));
}

// ---- a SIGTERM to a step ----

TEST(StepTerm, TheScriptsShimIsToldOfTheFirst) {
    JobState job = script();
    start_step(job);
    const auto told = all<effect::TellJobEnds>(advance(job, event::TermArrived{k_task}));
    ASSERT_EQ(told.size(), 1U);
    EXPECT_TRUE(told.front().ends);
    EXPECT_FALSE(has<effect::TellJobEnds>(advance(job, event::TermArrived{k_task})));
    EXPECT_FALSE(has<effect::TellJobEnds>(advance(job, event::TermArrived{k_batch})));
}

TEST(StepTerm, AndThatItWasNotTheJobsEnd) {
    JobState job = script();
    start_step(job);
    advance(job, event::TermArrived{k_task});
    const Effects known = advance(job, event::CauseKnown{Cause::running});
    EXPECT_TRUE(has<effect::RelayTerm>(known));
    ASSERT_EQ(all<effect::TellJobEnds>(known).size(), 1U);
    EXPECT_FALSE(all<effect::TellJobEnds>(known).front().ends);
    EXPECT_TRUE(has<effect::TellJobEnds>(advance(job, event::TermArrived{k_task}))) << "the next one";
}

TEST(StepTerm, ItsOwnItKnowsOfItself) {
    JobState job = script();
    EXPECT_FALSE(has<effect::TellJobEnds>(advance(job, event::TermArrived{k_batch})));
    EXPECT_FALSE(has<effect::TellJobEnds>(advance(job, event::CauseKnown{Cause::running})));
}

TEST(StepTerm, DoesNotPutTheNextCheckpointOff) {
    JobState job = script();
    start_step(job);
    advance(job, event::TermArrived{k_task});
    EXPECT_FALSE(has<effect::ArmInterval>(advance(job, event::CauseKnown{Cause::running})));
    advance(job, event::TermArrived{k_batch});
    EXPECT_TRUE(has<effect::ArmInterval>(advance(job, event::CauseKnown{Cause::running})));
}

// ---- rounds of asking the shims ----

TEST(SettleRounds, AreOverWhenAllHaveAnswered) {
    SettleRound round(2, {k_batch, k_task});
    EXPECT_FALSE(round.awaits(k_task, 1)) << "an answer to the one before";
    EXPECT_TRUE(round.awaits(k_task, 2));
    round.answered(k_task, true);
    EXPECT_FALSE(round.awaits(k_task, 2)) << "answered already";
    EXPECT_FALSE(round.is_complete());
    round.answered(k_batch, false);
    EXPECT_TRUE(round.is_complete());
    EXPECT_FALSE(round.is_at_rest());
}

} // namespace
} // namespace ckpt
