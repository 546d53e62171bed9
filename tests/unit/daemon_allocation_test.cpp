// SPDX-License-Identifier: GPL-2.0-or-later
// Steps of an allocation of salloc, which nothing can requeue or hold; and that batch jobs stay as they are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon_state_testbed.hpp"

namespace ckpt {
namespace {

using namespace state_test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t k_srun = 0x1234;
constexpr std::uint64_t k_other_srun = 0x5678;
constexpr TaskKey k_script{2, 0};
constexpr TaskKey k_task{3, 0};
constexpr TaskKey k_other{4, 0};

JobState job_of(bool in_allocation) {
    JobState job;
    job.plan = plan();
    job.in_allocation = in_allocation;
    advance(job, event::TaskRegistered{k_script});
    return job;
}

JobState running(bool in_allocation) {
    JobState job = job_of(in_allocation);
    advance(job, event::ShimArrived{k_script, true});
    advance(job, event::TreeStarted{k_script});
    return job;
}

Effects going_on(JobState& job) {
    job.plan.restore.value.kind = Restore::Kind::job;
    return advance(job, event::ShimArrived{k_script, true});
}

event::AdoptEnded found(std::map<StepTask, std::optional<int>> steps) {
    auto ended = found_generation(4);
    ended.task = k_script;
    ended.steps = std::move(steps);
    return ended;
}

JobState restored(bool in_allocation, std::map<StepTask, std::optional<int>> steps) {
    JobState job = job_of(in_allocation);
    going_on(job);
    advance(job, found(std::move(steps)));
    advance(job, event::RestoreEnded{k_script, std::nullopt, 0, 4, "1 min", "n1", {}});
    return job;
}

void start_step(JobState& job, const TaskKey& key, std::uint64_t stand_in) {
    advance(job, event::TaskRegistered{key, stand_in, {1, 1, 0}});
    advance(job, event::ShimArrived{key, true});
    advance(job, event::TreeStarted{key});
}

std::vector<TaskKey> killed(const Effects& effects) {
    std::vector<TaskKey> keys;
    for (const auto& kill : all<effect::KillTree>(effects))
        keys.push_back(kill.task);
    return keys;
}

// What the daemon's answer to HoldJob makes of the task.
effect::StartTask after_hold(JobState& job, const Effects& holds) {
    const auto hold = all<effect::HoldJob>(holds);
    EXPECT_EQ(hold.size(), 1U);
    EXPECT_FALSE(has<effect::StartTask>(holds));
    if (hold.empty()) return {};
    const auto starts =
        all<effect::StartTask>(advance(job, event::HoldEnded{hold.front().reason, std::nullopt}));
    EXPECT_EQ(starts.size(), 1U);
    return starts.empty() ? effect::StartTask{} : starts.front();
}

// ---- what cannot be restored ----

Effects store_without_key(JobState& job) {
    EXPECT_TRUE(has<effect::Adopt>(going_on(job)));
    event::AdoptEnded ended;
    ended.task = k_script;
    ended.error = Error{Code::store_key, "no key", "", 0};
    return advance(job, ended);
}

TEST(Allocation, WhatCannotBeRestoredEndsAndStartsNothing) {
    JobState job = job_of(true);
    const effect::StartTask start = after_hold(job, store_without_key(job));
    EXPECT_EQ(start.task, k_script);
    EXPECT_EQ(start.start, effect::Start::ended);
    EXPECT_EQ(start.wait_status, effect::k_not_started);
    EXPECT_FALSE(is_to_be_held(job));
    EXPECT_TRUE(is_quiet(job));
    EXPECT_FALSE(can_take_generation(job));
}

TEST(Allocation, AlsoWhenTheImagesAreThereAndDoNotRestore) {
    JobState job = job_of(true);
    going_on(job);
    advance(job, found({}));
    advance(job, event::RestoreEnded{k_script, some_error(), 0, 4, "1 min", "n1", {}});
    event::AdoptEnded none_left;
    none_left.task = k_script;
    none_left.found = event::AdoptEnded::Found::unusable;
    const effect::StartTask start = after_hold(job, advance(job, none_left));
    EXPECT_EQ(start.start, effect::Start::ended);
    EXPECT_EQ(start.wait_status, effect::k_not_started);
}

TEST(Allocation, ItIsToldOnceThatItHasEnded) {
    JobState job = job_of(true);
    after_hold(job, store_without_key(job));
    EXPECT_THAT(advance(job, event::HoldEnded{"no key", std::nullopt}), IsEmpty());
}

TEST(Allocation, ABatchJobIsHeldForIt) {
    JobState job = job_of(false);
    const effect::StartTask start = after_hold(job, store_without_key(job));
    EXPECT_EQ(start.start, effect::Start::held);
    EXPECT_EQ(start.wait_status, 0);
    EXPECT_TRUE(is_to_be_held(job));
}

TEST(Allocation, AStepThatCannotBeRestoredEndsAndItsScriptRunsOn) {
    JobState job = restored(true, {{{k_srun, 0}, std::nullopt}});
    advance(job, event::TaskRegistered{k_task, k_srun, {1, 1, 0}});
    advance(job, event::ShimArrived{k_task, true});
    advance(job, event::PartFetched{k_task, std::nullopt});
    const effect::StartTask start =
        after_hold(job, advance(job, event::RestoreEnded{k_task, some_error(), 0, 4, "1 min", "n1", {}}));
    EXPECT_EQ(start.task, k_task);
    EXPECT_EQ(start.start, effect::Start::ended);
    EXPECT_EQ(start.wait_status, effect::k_not_started);
    EXPECT_EQ(job.tasks.at(k_script).phase, TaskState::Phase::running);
    EXPECT_FALSE(is_to_be_held(job));
}

// ---- a step that cannot be started again ----

TEST(Allocation, TheScriptLearnsThatItsRestoredStepCannotBeStarted) {
    JobState job = restored(true, {{{k_srun, 0}, std::nullopt}});
    advance(job, event::StepDoubted{k_srun, false});
    const Effects known = advance(job, event::DoubtKnown{k_srun, false, Cause::running});
    ASSERT_EQ(all<effect::ClearStep>(known).size(), 1U);
    EXPECT_EQ(all<effect::ClearStep>(known).front().stand_in, k_srun);
    ASSERT_EQ(all<effect::Say>(known).size(), 1U);
    EXPECT_THAT(all<effect::Say>(known).front().line, HasSubstr("cannot be started here"));
    EXPECT_FALSE(has<effect::HoldJob>(known));
    EXPECT_FALSE(is_to_be_held(job));
}

TEST(Allocation, SoItDoesOfEachOfThem) {
    JobState job = restored(true, {{{k_srun, 0}, std::nullopt}, {{k_other_srun, 0}, std::nullopt}});
    advance(job, event::DoubtKnown{k_srun, false, Cause::running});
    const Effects second = advance(job, event::DoubtKnown{k_other_srun, false, Cause::running});
    ASSERT_EQ(all<effect::ClearStep>(second).size(), 1U);
    EXPECT_EQ(all<effect::ClearStep>(second).front().stand_in, k_other_srun);
}

TEST(Allocation, ABatchJobIsHeldForThatToo) {
    JobState job = restored(false, {{{k_srun, 0}, std::nullopt}});
    const Effects known = advance(job, event::DoubtKnown{k_srun, false, Cause::running});
    EXPECT_TRUE(has<effect::HoldJob>(known));
    EXPECT_FALSE(has<effect::ClearStep>(known));
}

// ---- the srun at the terminal is killed ----

TEST(Allocation, WithTheScriptItsStepsEnd) {
    JobState job = running(true);
    start_step(job, k_task, k_srun);
    start_step(job, k_other, k_other_srun);
    EXPECT_THAT(killed(advance(job, event::TaskGone{k_script, {}})),
                testing::UnorderedElementsAre(k_script, k_task, k_other));
}

TEST(Allocation, AlsoWhenItsTreeHadEndedBefore) {
    JobState job = running(true);
    start_step(job, k_task, k_srun);
    EXPECT_THAT(killed(advance(job, event::TreeExited{k_script, 9})), IsEmpty());
    EXPECT_THAT(killed(advance(job, event::TaskGone{k_script, {}})), ElementsAre(k_task));
}

TEST(Allocation, AStepThatHasEndedIsLeftAlone) {
    JobState job = running(true);
    start_step(job, k_task, k_srun);
    advance(job, event::TreeExited{k_task, 0});
    EXPECT_THAT(killed(advance(job, event::TaskGone{k_script, {}})), ElementsAre(k_script));
}

TEST(Allocation, AStepThatIsGoneEndsNoOther) {
    JobState job = running(true);
    start_step(job, k_task, k_srun);
    start_step(job, k_other, k_other_srun);
    EXPECT_THAT(killed(advance(job, event::TaskGone{k_task, {}})), ElementsAre(k_task));
}

TEST(Allocation, StepsOfABatchScriptEndWithTheJob) {
    JobState job = running(false);
    start_step(job, k_task, k_srun);
    EXPECT_THAT(killed(advance(job, event::TaskGone{k_script, {}})), ElementsAre(k_script));
}

TEST(Allocation, WhatFindsNothingToGoOnFromDoesNotStartFromTheBeginning) {
    using Found = event::AdoptEnded::Found;
    for (const Found nothing : {Found::nothing, Found::completed}) {
        for (const bool in_allocation : {false, true}) {
            JobState job = job_of(in_allocation);
            going_on(job);
            event::AdoptEnded ended;
            ended.task = k_script;
            ended.found = nothing;
            EXPECT_EQ(has<effect::HoldJob>(advance(job, ended)), in_allocation);
        }
    }
}

} // namespace
} // namespace ckpt
