// SPDX-License-Identifier: GPL-2.0-or-later
// How tasks of steps start, end, and what of the job they are.
#include <gtest/gtest.h>

#include "daemon_state_testbed.hpp"

namespace ckpt {
namespace {

using namespace state_test;

constexpr std::uint64_t k_srun = 0x1234;
constexpr TaskKey k_task{3, 0};
constexpr TaskKey k_other{3, 1};

JobState restored_job(std::map<StepTask, std::optional<int>> steps) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch, true});
    auto found = found_generation(4);
    found.newest_generation = 4;
    found.steps = std::move(steps);
    advance(job, found);
    advance(job, event::RestoreEnded{k_batch, std::nullopt, 0, 4, "1 min", "n1", {}});
    return job;
}

Effects arrive(JobState& job, const TaskKey& key, std::uint32_t step_tasks = 1) {
    advance(job, event::TaskRegistered{key, k_srun, {step_tasks, 1, 0}});
    return advance(job, event::ShimArrived{key, true});
}

TEST(StepTasks, StartFreshInAFirstIncarnation) {
    JobState job = running_job();
    const auto starts = all<effect::StartTask>(arrive(job, k_task));
    ASSERT_EQ(starts.size(), 1U);
    EXPECT_EQ(starts.front().start, effect::Start::fresh);
    EXPECT_FALSE(has<effect::ArmInterval>(advance(job, event::TreeStarted{k_task})))
        << "short steps would put the next checkpoint off for ever";
}

TEST(StepTasks, EndWithoutEndingTheJob) {
    JobState job = running_job();
    arrive(job, k_task);
    advance(job, event::TreeStarted{k_task});
    const Effects ended = advance(job, event::TreeExited{k_task, 0});
    EXPECT_TRUE(has<effect::LetShimLeave>(ended));
    EXPECT_FALSE(has<effect::RecordCompletion>(ended));
    EXPECT_TRUE(has<effect::RecordCompletion>(advance(job, event::TreeExited{k_batch, 0})));
}

TEST(StepTasks, MayHaveAnIntervalOfTheirOwn) {
    JobState job = running_job();
    job.plan.interval.value = Seconds{600};
    const auto arms = [](const Effects& effects) {
        const auto found = all<effect::ArmInterval>(effects);
        return found.size() == 1 && found.front().not_later;
    };
    EXPECT_FALSE(arms(advance(job, event::TaskRegistered{k_other, k_srun + 1, {1, 1, 600}})));
    EXPECT_EQ(interval_of(job), Interval{Seconds{600}});
    EXPECT_TRUE(arms(advance(job, event::TaskRegistered{k_task, k_srun, {1, 1, 60}})));
    EXPECT_EQ(interval_of(job), Interval{Seconds{60}});
    EXPECT_TRUE(arms(advance(job, event::TaskRegistered{{2, 0}, k_srun + 2, {1, 1, 3600}})));
    EXPECT_EQ(interval_of(job), Interval{Seconds{60}}) << "the shortest";
    EXPECT_TRUE(arms(advance(job, event::StepOver{k_srun})));
    EXPECT_EQ(interval_of(job), Interval{Seconds{3600}});
    EXPECT_TRUE(arms(advance(job, event::StepOver{k_srun + 2})));
    EXPECT_EQ(interval_of(job), Interval{Seconds{600}});
}

TEST(StepTasks, AFaultOfOneIsNoFailureOfTheJob) {
    JobState job = running_job();
    arrive(job, k_task);
    advance(job, event::TreeStarted{k_task});
    EXPECT_FALSE(has<effect::RecordFailure>(advance(job, event::TreeExited{k_task, 11})));
    EXPECT_TRUE(has<effect::RecordCompletion>(advance(job, event::TreeExited{k_batch, 1 << 8})));
}

TEST(StepTasks, OfAScriptThatEndsFirstDoNotHoldItsRecordUp) {
    JobState job = running_job();
    arrive(job, k_task);
    advance(job, event::TreeStarted{k_task});
    EXPECT_TRUE(has<effect::RecordCompletion>(advance(job, event::TreeExited{k_batch, 0})));
}

TEST(StepTasks, AreRestoredFromTheGenerationOfTheScript) {
    JobState job = restored_job({{{k_srun, 0}, std::nullopt}});
    const Effects arrived = arrive(job, k_task);
    ASSERT_TRUE(has<effect::FetchPart>(arrived));
    EXPECT_TRUE(has<effect::Restore>(advance(job, event::PartFetched{k_task, std::nullopt})));
    const auto starts = all<effect::StartTask>(
        advance(job, event::RestoreEnded{k_task, std::nullopt, 0, 4, "1 min", "n1", {}}));
    ASSERT_EQ(starts.size(), 1U);
    EXPECT_EQ(starts.front().start, effect::Start::restored);
    EXPECT_EQ(starts.front().line, "");
}

TEST(StepTasks, OfWhichItHasNothingStartFresh) {
    JobState job = restored_job({{{k_srun + 1, 0}, std::nullopt}});
    const auto starts = all<effect::StartTask>(arrive(job, k_task));
    ASSERT_EQ(starts.size(), 1U);
    EXPECT_EQ(starts.front().start, effect::Start::fresh);
}

TEST(StepTasks, ThatHadEndedEndAgainTheSameWay) {
    JobState job = restored_job({{{k_srun, 0}, 3 << 8}, {{k_srun, 1}, std::nullopt}});
    const auto starts = all<effect::StartTask>(arrive(job, k_task, 2));
    ASSERT_EQ(starts.size(), 1U);
    EXPECT_EQ(starts.front().start, effect::Start::ended);
    EXPECT_EQ(starts.front().wait_status, 3 << 8);
}

TEST(StepTasks, AreToldAgainThatTheyHadEnded) {
    JobState job = restored_job({{{k_srun, 0}, 3 << 8}, {{k_srun, 1}, std::nullopt}});
    arrive(job, k_task, 2);
    const auto starts = all<effect::StartTask>(advance(job, event::ShimArrived{k_task, true}));
    ASSERT_EQ(starts.size(), 1U);
    EXPECT_EQ(starts.front().start, effect::Start::ended);
    EXPECT_EQ(starts.front().wait_status, 3 << 8);
}

TEST(StepTasks, NoGenerationIsTakenBeforeAllOfThemAreBack) {
    JobState job = restored_job({{{k_srun, 0}, std::nullopt}, {{k_srun, 1}, std::nullopt}});
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::IntervalElapsed{})));
    EXPECT_TRUE(advance(job, event::OnDemand{}).empty());
    for (const TaskKey& key : {k_task, k_other}) {
        arrive(job, key, 2);
        advance(job, event::PartFetched{key, std::nullopt});
    }
    EXPECT_FALSE(
        has<effect::Dump>(advance(job, event::RestoreEnded{k_task, std::nullopt, 0, 4, "1 min", "n1", {}})));
    const Effects back = advance(job, event::RestoreEnded{k_other, std::nullopt, 0, 4, "1 min", "n1", {}});
    EXPECT_EQ(all<effect::Dump>(back).size(), 3U);
}

TEST(StepTasks, AreNotAwaitedWhenTheirSrunIsGone) {
    JobState job = restored_job({{{k_srun, 0}, std::nullopt}});
    advance(job, event::OnDemand{});
    EXPECT_TRUE(has<effect::Dump>(advance(job, event::StepOver{k_srun})));
}

TEST(StepTasks, AForcedEndBeforeTheyAreBackLeavesTheGenerationTheyAreIn) {
    JobState job = restored_job({{{k_srun, 0}, std::nullopt}});
    advance(job, event::TermArrived{k_batch});
    const Effects known = advance(job, event::CauseKnown{Cause::requeued, true});
    EXPECT_FALSE(has<effect::Dump>(known));
    EXPECT_TRUE(has<effect::RelayTerm>(known));
}

TEST(StepTasks, ThatCannotBeRestoredHoldTheJob) {
    JobState job = restored_job({{{k_srun, 0}, std::nullopt}});
    arrive(job, k_task);
    advance(job, event::PartFetched{k_task, std::nullopt});
    EXPECT_TRUE(has<effect::HoldJob>(
        advance(job, event::RestoreEnded{k_task, some_error(), 0, 4, "1 min", "n1", {}})));
    EXPECT_FALSE(has<effect::Dump>(advance(job, event::IntervalElapsed{}))) << "it would be missing";
}

TEST(StepTasks, WhoseShimAsksTwiceAreRestoredAllTheSame) {
    JobState job = restored_job({{{k_srun, 0}, std::nullopt}});
    arrive(job, k_task);
    advance(job, event::ShimAway{k_task});
    EXPECT_TRUE(has<effect::FetchPart>(advance(job, event::ShimArrived{k_task, true})));
}

TEST(StepTasks, AreForgottenWhenTheirSrunIsOver) {
    JobState job = running_job();
    arrive(job, k_task);
    advance(job, event::TreeStarted{k_task});
    advance(job, event::TreeExited{k_task, 0});
    EXPECT_FALSE(has<effect::ForgetTask>(advance(job, event::StepOver{k_srun}))) << "its shim is there";
    EXPECT_TRUE(has<effect::ForgetTask>(advance(job, event::TaskGone{k_task, {}})));
    EXPECT_FALSE(job.tasks.contains(k_task));
}

} // namespace
} // namespace ckpt
