// SPDX-License-Identifier: GPL-2.0-or-later
// How a task starts. Each test names what a user would notice if it failed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "daemon_state_testbed.hpp"

namespace ckpt {
namespace {

using namespace state_test;
using testing::IsEmpty;

TEST(Start, FirstIncarnationStartsAtOnce) {
    JobState job = fresh_job();
    const Effects out = advance(job, event::ShimArrived{k_batch});
    ASSERT_TRUE(has<effect::StartTask>(out));
    EXPECT_EQ(all<effect::StartTask>(out)[0].start, effect::Start::fresh);
    EXPECT_TRUE(has<effect::ArmInterval>(advance(job, event::TreeStarted{k_batch})));
}

TEST(Start, LaterIncarnationAsksTheStoreFirst) {
    JobState job = fresh_job();
    job.restart_count = 1;
    const Effects out = advance(job, event::ShimArrived{k_batch});
    EXPECT_TRUE(has<effect::Adopt>(out));
    EXPECT_FALSE(has<effect::StartTask>(out));
}

TEST(Start, UnmanagedFirstIncarnationRunsWithOneLine) {
    JobState job = fresh_job();
    job.unmanaged = Error{Code::policy_syntax, "bad policy", "", 0};
    const Effects out = advance(job, event::ShimArrived{k_batch});
    ASSERT_EQ(all<effect::StartTask>(out).size(), 1U);
    EXPECT_EQ(all<effect::StartTask>(out)[0].start, effect::Start::unmanaged);
    EXPECT_THAT(all<effect::StartTask>(out)[0].line, testing::HasSubstr("bad policy"));
}

TEST(Start, UnmanagedLaterIncarnationIsHeldNeverStartedFromZero) {
    JobState job = fresh_job();
    job.restart_count = 1;
    job.unmanaged = Error{Code::policy_syntax, "bad policy", "", 0};
    const Effects out = advance(job, event::ShimArrived{k_batch});
    EXPECT_TRUE(has<effect::HoldJob>(out));
    EXPECT_FALSE(has<effect::StartTask>(out));
}

JobState job_under_unsupported_settings(std::uint32_t restart_count) {
    JobState job = fresh_job();
    job.restart_count = restart_count;
    job.unmanaged = Error{Code::unsupported_setting, "ProctrackType", "", 0};
    return job;
}

TEST(Start, UnderUnsupportedSettingsTheApplicationRunsAlone) {
    JobState job = job_under_unsupported_settings(0);
    const Effects out = advance(job, event::ShimArrived{k_batch});
    ASSERT_EQ(all<effect::StartTask>(out).size(), 1U);
    EXPECT_EQ(all<effect::StartTask>(out)[0].start, effect::Start::alone);
    EXPECT_THAT(all<effect::StartTask>(out)[0].line, testing::HasSubstr("runs without checkpoints"));
    EXPECT_TRUE(is_quiet(job));
}

TEST(Start, AnUnmanagedJobThatIsNeverToBeRestoredStartsOver) {
    JobState job = job_under_unsupported_settings(1);
    job.plan.restore.value.kind = Restore::Kind::never;
    const Effects out = advance(job, event::ShimArrived{k_batch});
    EXPECT_TRUE(has<effect::StartTask>(out));
    EXPECT_FALSE(has<effect::Adopt>(out));
}

TEST(Start, UnderUnsupportedSettingsTheStoreSaysWhetherARequeuedJobMayStartOver) {
    using Found = event::AdoptEnded::Found;
    for (const Found found : {Found::nothing, Found::completed, Found::generation, Found::unusable}) {
        JobState job = job_under_unsupported_settings(1);
        EXPECT_TRUE(has<effect::Adopt>(advance(job, event::ShimArrived{k_batch})));
        event::AdoptEnded ended{k_batch, found, std::nullopt, 0, 0, std::nullopt, {}};
        const Effects out = advance(job, ended);
        const bool starts_over = found == Found::nothing || found == Found::completed;
        EXPECT_EQ(has<effect::StartTask>(out), starts_over);
        EXPECT_EQ(has<effect::HoldJob>(out), !starts_over);
        EXPECT_FALSE(has<effect::Restore>(out));
    }
}

TEST(Start, AJobThatNeverHadAnIdentityHasNothingToLose) {
    JobState job = fresh_job();
    job.restart_count = 1;
    job.unmanaged = Error{Code::restore_impossible, "no identity", "", 0};
    job.never_saved = true;
    const Effects out = advance(job, event::ShimArrived{k_batch});
    ASSERT_EQ(all<effect::StartTask>(out).size(), 1U);
    EXPECT_EQ(all<effect::StartTask>(out)[0].start, effect::Start::unmanaged);
}

TEST(Start, AHoldThatFailsIsTriedAgainAndTheJobWaits) {
    JobState job = fresh_job();
    job.restart_count = 1;
    job.unmanaged = Error{Code::policy_syntax, "bad policy", "", 0};
    EXPECT_TRUE(has<effect::HoldBackTerm>(advance(job, event::ShimArrived{k_batch}))) << "the shim must wait";
    const Error refused{Code::slurm_rpc, "slurmctld does not answer", "", 0};
    const Effects first = advance(job, event::HoldEnded{"bad policy", refused});
    ASSERT_EQ(all<effect::HoldJob>(first).size(), 1U);
    EXPECT_TRUE(all<effect::HoldJob>(first)[0].again);
    EXPECT_EQ(all<effect::Say>(first).size(), 1U);
    EXPECT_FALSE(has<effect::StartTask>(first));
    EXPECT_THAT(all<effect::Say>(advance(job, event::HoldEnded{"bad policy", refused})), IsEmpty())
        << "said once";
    EXPECT_TRUE(has<effect::StartTask>(advance(job, event::HoldEnded{"bad policy", std::nullopt})));
}

TEST(Start, RestartsBeyondTheLimitAreHeld) {
    JobState job = fresh_job();
    job.plan.max_restarts.value = 3;
    job.restart_count = 4;
    EXPECT_TRUE(has<effect::HoldJob>(advance(job, event::ShimArrived{k_batch})));
    JobState last = fresh_job();
    last.plan.max_restarts.value = 3;
    last.restart_count = 3;
    EXPECT_TRUE(has<effect::Adopt>(advance(last, event::ShimArrived{k_batch})));
}

struct Outcome {
    event::AdoptEnded::Found found;
    bool starts_fresh;
    bool restores;
    bool holds;
};

class Adoption : public testing::TestWithParam<Outcome> {};

TEST_P(Adoption, DecidesWhatStarts) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    event::AdoptEnded e;
    e.task = k_batch;
    e.found = GetParam().found;
    const Effects out = advance(job, e);
    EXPECT_EQ(has<effect::StartTask>(out), GetParam().starts_fresh);
    EXPECT_EQ(has<effect::Restore>(out), GetParam().restores);
    EXPECT_EQ(has<effect::HoldJob>(out), GetParam().holds);
}

INSTANTIATE_TEST_SUITE_P(All, Adoption,
                         testing::Values(Outcome{event::AdoptEnded::Found::nothing, false, false, false},
                                         Outcome{event::AdoptEnded::Found::completed, true, false, false},
                                         Outcome{event::AdoptEnded::Found::generation, false, true, false},
                                         Outcome{event::AdoptEnded::Found::unusable, false, false, true}));

class EmptyStore : public testing::Test {
protected:
    void SetUp() override {
        m_job.restart_count = 1;
        advance(m_job, event::ShimArrived{k_batch});
        event::AdoptEnded nothing;
        nothing.task = k_batch;
        EXPECT_TRUE(has<effect::AskHistory>(advance(m_job, nothing)));
    }
    Effects known(const std::string& comment) {
        return advance(m_job, event::HistoryKnown{k_batch, comment, std::nullopt});
    }

    JobState m_job = fresh_job();
};

TEST_F(EmptyStore, OfAJobThatWasNeverSavedStartsItAnew) {
    const Effects out = known("");
    ASSERT_EQ(all<effect::StartTask>(out).size(), 1U);
    EXPECT_EQ(all<effect::StartTask>(out)[0].start, effect::Start::fresh);
    EXPECT_TRUE(known("12:00:00 n1: generation 2 saved").empty()) << "answered twice";
}

TEST_F(EmptyStore, WhyNothingWasSavedIsSaidAgain) {
    const Effects out = known("12:00:00 n1: no checkpoint: the disk is full [CKPT-602]");
    ASSERT_EQ(all<effect::StartTask>(out).size(), 1U);
    EXPECT_NE(all<effect::StartTask>(out)[0].line.find("(the disk is full [CKPT-602])"), std::string::npos);
}

TEST_F(EmptyStore, SlurmctldIsAskedAgainNotForEver) {
    event::HistoryKnown silent{k_batch, "", some_error()};
    Effects out;
    unsigned questions = 1;
    for (; questions < 100; ++questions) {
        out = advance(m_job, silent);
        if (!has<effect::AskHistory>(out)) break;
        EXPECT_TRUE(all<effect::AskHistory>(out)[0].again);
        EXPECT_FALSE(has<effect::StartTask>(out));
    }
    EXPECT_GT(questions, 3U);
    EXPECT_TRUE(has<effect::StartTask>(out));
}

TEST_F(EmptyStore, OfAJobThatWasSavedHoldsIt) {
    for (const char* comment : {"12:00:00 n1: generation 2 saved, 1 MiB -> 1 MiB",
                                "12:00:00 n2: restored generation 2 (1 min old)"}) {
        const Effects out = known(comment);
        EXPECT_FALSE(has<effect::StartTask>(out));
        ASSERT_EQ(all<effect::HoldJob>(out).size(), 1U);
        EXPECT_NE(all<effect::HoldJob>(out)[0].reason.find(comment), std::string::npos);
        m_job = fresh_job();
        SetUp();
    }
}

TEST(Start, StoreThatCannotBeAskedHoldsTheJob) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    event::AdoptEnded e;
    e.task = k_batch;
    e.error = Error{Code::store_key, "no key", "", 0};
    EXPECT_TRUE(has<effect::HoldJob>(advance(job, e)));
}

TEST(Start, GenerationThatDoesNotRestoreIsFollowedByTheOneBefore) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    advance(job, found_generation(1));
    const Effects out = advance(job, event::RestoreEnded{k_batch, some_error(), 0, 7, "1 s", "n2", {}});
    ASSERT_EQ(all<effect::Adopt>(out).size(), 1U);
    EXPECT_EQ(all<effect::Adopt>(out)[0].before_generation, 7U);
    EXPECT_FALSE(has<effect::StartTask>(out));
}

TEST(Start, ACopyOnTheNodeThatDoesNotRestoreIsFollowedByTheSameFromTheStore) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    advance(job, found_generation(1));
    event::RestoreEnded failed{k_batch, some_error(), 0, 7, "1 s", "n2", {}};
    failed.from_copy = true;
    const Effects again = advance(job, failed);
    ASSERT_EQ(all<effect::Adopt>(again).size(), 1U);
    EXPECT_EQ(all<effect::Adopt>(again)[0].before_generation, 0U) << "the generation is given up";
    advance(job, found_generation(1));
    const Effects older = advance(job, event::RestoreEnded{k_batch, some_error(), 0, 7, "1 s", "n2", {}});
    ASSERT_EQ(all<effect::Adopt>(older).size(), 1U);
    EXPECT_EQ(all<effect::Adopt>(older)[0].before_generation, 7U);
}

event::AdoptEnded without_answer() {
    event::AdoptEnded e;
    e.task = k_batch;
    e.error = Error{Code::store_unwritable, "a worker has ended", "", EPIPE};
    return e;
}

TEST(Start, AWorkerThatIsKilledDoesNotHoldTheJobUntilASecondOneIs) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    const Effects again = advance(job, without_answer());
    EXPECT_EQ(all<effect::Adopt>(again).size(), 1U);
    EXPECT_FALSE(has<effect::HoldJob>(again));
    const Effects held = advance(job, without_answer());
    EXPECT_FALSE(has<effect::Adopt>(held));
    EXPECT_TRUE(has<effect::HoldJob>(held));
}

TEST(Start, WhatIsAskedOnceMoreIsTheSame) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    advance(job, without_answer());
    advance(job, found_generation(1));
    advance(job, event::RestoreEnded{k_batch, some_error(), 0, 7, "1 s", "n2", {}});
    const Effects again = advance(job, without_answer());
    ASSERT_EQ(all<effect::Adopt>(again).size(), 1U) << "another question";
    EXPECT_EQ(all<effect::Adopt>(again)[0].before_generation, 7U);
}

TEST(Start, NumbersGoOnAfterTheHighestEverUsed) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    event::AdoptEnded found = found_generation(1);
    found.newest_generation = 9;
    advance(job, found);
    advance(job, event::RestoreEnded{k_batch, std::nullopt, 0, 9, "1 s", "n2", {}});
    const Effects out = advance(job, event::IntervalElapsed{});
    ASSERT_EQ(all<effect::Dump>(out).size(), 1U);
    EXPECT_EQ(all<effect::Dump>(out)[0].generation, 10U);
}

// ---- a node that will not do ----

Error unfit() {
    return {Code::node_unfit, "generation 1 needs what this node does not have: avx512f of the CPU", "", 0};
}

JobState adopting_job() {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    return job;
}

event::AdoptEnded not_adopted(const Error& error) {
    event::AdoptEnded ended;
    ended.task = k_batch;
    ended.error = error;
    return ended;
}

TEST(Start, AnUnfitNodeIsLeftAndNothingIsTriedThere) {
    JobState job = adopting_job();
    const Effects out = advance(job, not_adopted(unfit()));
    ASSERT_EQ(all<effect::RequeueElsewhere>(out).size(), 1U);
    EXPECT_EQ(all<effect::RequeueElsewhere>(out)[0].node, "") << "this one";
    EXPECT_THAT(all<effect::RequeueElsewhere>(out)[0].reason,
                testing::HasSubstr("avx512f of the CPU [CKPT-506]"));
    ASSERT_EQ(all<effect::Say>(out).size(), 1U);
    EXPECT_THAT(all<effect::Say>(out)[0].line, testing::HasSubstr("the job is requeued without this node"));
    EXPECT_FALSE(has<effect::HoldJob>(out));
    EXPECT_FALSE(has<effect::Adopt>(out)) << "no older one is asked for";
    EXPECT_FALSE(has<effect::StartTask>(out));
    EXPECT_FALSE(is_quiet(job)) << "it must not come back here before the node is excluded";
    EXPECT_FALSE(has<effect::ReleaseEpilog>(advance(job, event::EpilogArrived{})));
    const Effects done = advance(job, event::HoldEnded{"it lacks something", std::nullopt});
    ASSERT_TRUE(has<effect::StartTask>(done));
    EXPECT_EQ(all<effect::StartTask>(done)[0].start, effect::Start::held);
    EXPECT_TRUE(has<effect::ReleaseEpilog>(done));
}

TEST(Start, WhatCriuFindsUnfitIsNoReasonToGoBackToAnOlderCheckpoint) {
    JobState job = adopting_job();
    advance(job, found_generation(3));
    event::RestoreEnded failed;
    failed.task = k_batch;
    failed.error = Error{Code::node_unfit, "this node's CPU lacks features", "", 0};
    failed.generation = 3;
    failed.from_copy = true;
    const Effects out = advance(job, failed);
    EXPECT_TRUE(has<effect::RequeueElsewhere>(out));
    EXPECT_FALSE(has<effect::Adopt>(out));
}

TEST(Start, ARequeueElsewhereThatFailsIsTriedAgain) {
    JobState job = adopting_job();
    advance(job, not_adopted(unfit()));
    const Error refused{Code::slurm_rpc, "slurmctld does not answer", "", 0};
    const Effects out = advance(job, event::HoldEnded{"it lacks something", refused});
    ASSERT_EQ(all<effect::RequeueElsewhere>(out).size(), 1U);
    EXPECT_TRUE(all<effect::RequeueElsewhere>(out)[0].again);
    EXPECT_EQ(all<effect::RequeueElsewhere>(out)[0].reason, "it lacks something");
    EXPECT_FALSE(has<effect::HoldJob>(out));
    EXPECT_FALSE(has<effect::StartTask>(out));
    EXPECT_FALSE(has<effect::ReleaseEpilog>(advance(job, event::EpilogArrived{})));
    EXPECT_TRUE(has<effect::ReleaseEpilog>(advance(job, event::HoldEnded{"it lacks something", refused})))
        << "a job that ends otherwise does not wait for it";
}

TEST(Start, OtherTroublesOfANodeAreLeftWherePolicySaysSo) {
    const Error of_node{Code::store_unwritable, "not mounted", "", 0};
    const Error of_job{Code::restore_source, "that job has not ended", "", 0};
    for (const bool may_leave : {false, true}) {
        JobState job = adopting_job();
        job.may_leave = may_leave;
        const Effects out = advance(job, not_adopted(of_node));
        EXPECT_EQ(has<effect::RequeueElsewhere>(out), may_leave);
        EXPECT_EQ(has<effect::HoldJob>(out), !may_leave);
        JobState other = adopting_job();
        other.may_leave = may_leave;
        EXPECT_TRUE(has<effect::HoldJob>(advance(other, not_adopted(of_job)))) << "no other node does better";
    }
}

TEST(Start, WhatDoesNotRestoreLeavesTheNodeOnlyIfThatMayBeItsFault) {
    for (const Code code : {Code::restore_failed, Code::rollback_refused, Code::restore_refused}) {
        JobState job = adopting_job();
        job.may_leave = true;
        advance(job, found_generation(1));
        event::RestoreEnded failed;
        failed.task = k_batch;
        failed.error = Error{code, "no", "", 0};
        failed.generation = 1;
        EXPECT_TRUE(has<effect::Adopt>(advance(job, failed)));
        event::AdoptEnded none;
        none.task = k_batch;
        none.found = event::AdoptEnded::Found::unusable;
        EXPECT_EQ(has<effect::RequeueElsewhere>(advance(job, none)), code == Code::restore_failed);
    }
}

TEST(Start, WhatDoesNotVerifyIsNoFaultOfTheNodes) {
    JobState job = adopting_job();
    job.may_leave = true;
    event::AdoptEnded none;
    none.task = k_batch;
    none.found = event::AdoptEnded::Found::unusable;
    EXPECT_TRUE(has<effect::HoldJob>(advance(job, none)));
}

TEST(Start, InAnAllocationThereIsNoOtherNode) {
    JobState job = adopting_job();
    job.in_allocation = true;
    const Effects out = advance(job, not_adopted(unfit()));
    EXPECT_TRUE(has<effect::HoldJob>(out));
    EXPECT_FALSE(has<effect::RequeueElsewhere>(out));
}

} // namespace
} // namespace ckpt
