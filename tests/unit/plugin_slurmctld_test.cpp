// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>
#include <slurm/slurm.h>

#include "slurmctld/cause.hpp"
#include "slurmctld/comment.hpp"
#include "slurmctld/constraint.hpp"

namespace ckpt {
namespace {

JobRecord in_state(std::uint32_t state, std::time_t preempted = 0) {
    JobRecord job;
    job.state = state;
    job.preempt_time = preempted;
    return job;
}

TEST(SlurmctldCause, OneWordForEachState) {
    EXPECT_STREQ(cause_of(in_state(JOB_RUNNING)), "running");
    EXPECT_STREQ(cause_of(in_state(JOB_SUSPENDED)), "suspended");
    EXPECT_STREQ(cause_of(in_state(JOB_PENDING | JOB_COMPLETING)), "requeue");
    EXPECT_STREQ(cause_of(in_state(JOB_PENDING | JOB_COMPLETING, 1)), "preempted");
    EXPECT_STREQ(cause_of(in_state(JOB_PENDING)), "pending");
    EXPECT_STREQ(cause_of(in_state(JOB_PREEMPTED | JOB_COMPLETING)), "preempted-for-good");
    EXPECT_STREQ(cause_of(in_state(JOB_TIMEOUT | JOB_COMPLETING)), "timeout");
    EXPECT_STREQ(cause_of(in_state(JOB_CANCELLED | JOB_COMPLETING)), "cancelled");
    EXPECT_STREQ(cause_of(in_state(JOB_NODE_FAIL | JOB_COMPLETING)), "node_fail");
    EXPECT_STREQ(cause_of(in_state(JOB_COMPLETE | JOB_COMPLETING)), "completing");
    EXPECT_STREQ(cause_of(in_state(JOB_FAILED)), "ended");
}

TEST(SlurmctldCause, AJobThatIsCleanedUpHasNotEnded) {
    for (const auto state : {JOB_PENDING, JOB_RUNNING, JOB_SUSPENDED})
        EXPECT_TRUE(is_unfinished(state)) << state;
    EXPECT_TRUE(is_unfinished(JOB_CANCELLED | JOB_COMPLETING));
    EXPECT_TRUE(is_unfinished(JOB_COMPLETE | JOB_REQUEUE_HOLD));
    for (const auto state : {JOB_COMPLETE, JOB_CANCELLED, JOB_FAILED, JOB_TIMEOUT, JOB_NODE_FAIL, JOB_OOM})
        EXPECT_FALSE(is_unfinished(state)) << state;
}

TEST(SlurmctldCause, IdsAreRanges) {
    EXPECT_EQ(id_ranges({}), "");
    EXPECT_EQ(id_ranges({7}), " 7");
    EXPECT_EQ(id_ranges({9, 7, 8, 12, 8}), " 7-9 12");
}

TEST(SlurmctldCause, WhatIsOverIsNotRequeued) {
    EXPECT_EQ(requeue_of(in_state(JOB_RUNNING)), Requeue::possible);
    EXPECT_EQ(requeue_of(in_state(JOB_TIMEOUT | JOB_COMPLETING)), Requeue::possible_late);
    EXPECT_EQ(requeue_of(in_state(JOB_PENDING | JOB_COMPLETING)), Requeue::done_already);
    EXPECT_EQ(requeue_of(in_state(JOB_CANCELLED | JOB_COMPLETING)), Requeue::refused);
    EXPECT_EQ(requeue_of(in_state(JOB_COMPLETE)), Requeue::refused);
}

TEST(SlurmctldCause, TheFactsFollowTheWord) {
    JobRecord job = in_state(JOB_RUNNING);
    job.end_time = 1000;
    job.restart_count = 2;
    EXPECT_EQ(cause_line(job), "running restarts=2 end=1000 preempt=0 requeue=0 grace=0");
    job.requeue = true;
    EXPECT_EQ(cause_line(job), "running restarts=2 end=1000 preempt=0 requeue=1 grace=0");
    job.state = JOB_DEADLINE | JOB_COMPLETING; // --deadline: not to be run again
    job.grace = true;
    EXPECT_EQ(cause_line(job), "timeout restarts=2 end=1000 preempt=0 requeue=0 grace=1");
}

// An allocation of salloc may well say --requeue.
TEST(SlurmctldCause, WithoutAScriptNothingIsRequeued) {
    JobRecord job = in_state(JOB_RUNNING);
    job.requeue = true;
    job.batch = false;
    EXPECT_EQ(cause_line(job), "running restarts=0 end=0 preempt=0 requeue=0 grace=0");
    job.batch = true;
    EXPECT_EQ(cause_line(job), "running restarts=0 end=0 preempt=0 requeue=1 grace=0");
}

TEST(SlurmctldCause, AJobIsDescribedInOneLine) {
    JobRecord job = in_state(JOB_CANCELLED);
    job.job_id = 76;
    job.name = "my job\n";
    job.uid = 1001;
    EXPECT_EQ(about_line(job), "76 cancelled - 1001 my job?");
    job.array_task = 3;
    EXPECT_EQ(about_line(job), "76 cancelled 3 1001 my job?");
}

TEST(SlurmctldComment, TheUsersCommentStays) {
    EXPECT_EQ(with_reason("", "no key"), "checkpoint: no key");
    EXPECT_EQ(with_reason("mine", "checkpoint: no key"), "mine | checkpoint: no key");
    EXPECT_EQ(with_reason("mine | checkpoint: no key", "still no key"), "mine | checkpoint: still no key");
    EXPECT_EQ(with_reason("checkpoint: no key", "x"), "checkpoint: x");
    EXPECT_EQ(with_reason("mine | checkpoint: no key | the admin's", "x"),
              "mine | the admin's | checkpoint: x");
    EXPECT_EQ(with_reason("", "a\nb\x1b\xff"), "checkpoint: a?b??");
    EXPECT_LT(with_reason("", std::string(100000, 'x')).size(), 500U);
}

TEST(SlurmctldComment, OurReasonIsFoundAgain) {
    EXPECT_EQ(reason_in(with_reason("mine", "generation 2 saved")), "generation 2 saved");
    EXPECT_EQ(reason_in(with_reason("mine", "generation 2 saved") + " | the admin's"), "generation 2 saved");
    EXPECT_EQ(reason_in("mine, not checkpoint: x"), "");
    EXPECT_EQ(reason_in(""), "");
}

TEST(SlurmctldComment, NothingOfAReasonPassesForSomebodyElses) {
    const std::string first = with_reason("", "held: x | approved by root");
    EXPECT_EQ(first, "checkpoint: held: x / approved by root");
    EXPECT_EQ(with_reason(first, "generation 2 saved"), "checkpoint: generation 2 saved");
}

TEST(SlurmctldConstraint, TheNodesKindIsDemandedBesidesWhatTheUserWants) {
    const std::vector<std::string> kinds{"skylake", "zen3", "zen4"};
    const std::set<std::string> node{"zen3", "big", "ib"};
    using Kind = Constraint::Kind;
    EXPECT_EQ(constrained("", node, kinds), (Constraint{Kind::changed, "zen3"}));
    EXPECT_EQ(constrained("big", node, kinds), (Constraint{Kind::changed, "big&zen3"}));
    EXPECT_EQ(constrained("big,ib", node, kinds), (Constraint{Kind::changed, "big&ib&zen3"}));
    EXPECT_EQ(constrained("zen3", node, kinds), Constraint{}) << "once only";
    EXPECT_EQ(constrained("big&zen3", node, kinds), Constraint{});
    EXPECT_EQ(constrained("big&skylake", node, kinds), (Constraint{Kind::changed, "big&zen3"}))
        << "from an earlier checkpoint";
    EXPECT_EQ(constrained("skylake", {"big"}, kinds), (Constraint{Kind::changed, ""}));
    EXPECT_EQ(constrained("big", {"big"}, kinds), Constraint{}) << "a node of no kind";
    EXPECT_EQ(constrained("big", node, {}), Constraint{});
}

TEST(SlurmctldConstraint, WhatIsNoPlainListIsLeftAlone) {
    for (const char* users : {"zen3|zen4", "[zen3|zen4]", "big*2&ib*1", "(a&b)|c", "!zen4", "big:2"})
        EXPECT_EQ(constrained(users, {"zen3"}, {"zen3", "zen4"}).kind, Constraint::Kind::too_complicated)
            << users;
}

} // namespace
} // namespace ckpt
