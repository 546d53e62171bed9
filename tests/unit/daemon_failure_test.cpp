// SPDX-License-Identifier: GPL-2.0-or-later
// Ends that are no completion: out of memory and faults of the program, and what becomes of the job
// afterwards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "daemon_state_testbed.hpp"

namespace ckpt {
namespace {

using namespace state_test;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t k_limit = 100 << 20;
constexpr MemoryFacts k_fine{false, k_limit};
constexpr MemoryFacts k_killed{true, k_limit};
constexpr Failure k_out_of_memory{Failure::Kind::out_of_memory, k_limit, 0};

constexpr int exited(int status) {
    return status << 8;
}

Failure fault(int signal) {
    return {Failure::Kind::fault, 0, signal};
}

TEST(FailureOf, FaultsAreSignalsOfTheProgramsOwnMaking) {
    for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS}) {
        EXPECT_EQ(failure_of(signal, k_fine), fault(signal));
        EXPECT_EQ(failure_of(signal | 0x80, k_fine), fault(signal)) << "with a core";
        EXPECT_EQ(failure_of(exited(128 + signal), k_fine), fault(signal)) << "as a shell says it";
    }
    for (const int signal : {SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE}) {
        EXPECT_EQ(failure_of(signal, k_fine), std::nullopt);
        EXPECT_EQ(failure_of(exited(128 + signal), k_fine), std::nullopt);
    }
    for (const int status : {0, 1, SIGSEGV, SIGABRT, 127, 128, 255})
        EXPECT_EQ(failure_of(exited(status), k_fine), std::nullopt);
}

TEST(FailureOf, OutOfMemoryWhateverTheScriptSays) {
    for (const int status : {exited(0), exited(1), exited(137), SIGKILL, SIGSEGV})
        EXPECT_EQ(failure_of(status, k_killed), k_out_of_memory);
    EXPECT_EQ(failure_of(exited(0), {true, 0}), (Failure{Failure::Kind::out_of_memory, 0, 0}));
}

JobState saved_job() {
    JobState job = running_job();
    job.job_id = 12;
    job.saved = 3;
    return job;
}

std::vector<std::string> said(const Effects& effects) {
    std::vector<std::string> lines;
    for (const auto& say : all<effect::Say>(effects))
        lines.push_back(say.line);
    return lines;
}

TEST(OutOfMemory, IsNoCompletionAndSaysHowToGoOn) {
    JobState job = saved_job();
    const Effects out = advance(job, event::TreeExited{k_batch, exited(0), k_killed});
    EXPECT_FALSE(has<effect::RecordCompletion>(out));
    ASSERT_EQ(all<effect::RecordFailure>(out).size(), 1U);
    EXPECT_EQ(all<effect::RecordFailure>(out)[0].failure, k_out_of_memory);
    EXPECT_THAT(said(out),
                ElementsAre("the job ran out of memory (limit 100 MiB), generation 3 is kept; to go on from "
                            "there with, say, twice the memory: `scontrol requeuehold 12`, `scontrol update "
                            "JobId=12 MinMemoryNode=200`, `scontrol release 12` [CKPT-701]"));
    EXPECT_FALSE(has<effect::LetShimLeave>(out)) << "not before it is on record";
    EXPECT_FALSE(has<effect::ReleaseEpilog>(advance(job, event::EpilogArrived{})));
    const Effects recorded = advance(job, event::CompletionRecorded{});
    EXPECT_TRUE(has<effect::LetShimLeave>(recorded));
    EXPECT_TRUE(has<effect::ReleaseEpilog>(recorded));
}

TEST(OutOfMemory, WithoutALimitItWasTheNode) {
    JobState job = saved_job();
    const Effects out = advance(job, event::TreeExited{k_batch, SIGKILL, {true, 0}});
    EXPECT_THAT(said(out),
                ElementsAre("the job ran out of memory, of which the node had no more, generation 3 is kept; "
                            "`scontrol requeue 12` goes on from there [CKPT-701]"));
}

TEST(OutOfMemory, WithNothingSavedNothingIsPromised) {
    JobState job = running_job();
    EXPECT_THAT(said(advance(job, event::TreeExited{k_batch, SIGKILL, k_killed})),
                ElementsAre(HasSubstr("no checkpoint was saved")));
    JobState orphan = running_job(); // nobody here knows what it has
    orphan.orphaned = true;
    EXPECT_THAT(said(advance(orphan, event::TreeExited{k_batch, SIGKILL, k_killed})),
                ElementsAre(HasSubstr("its checkpoints are kept")));
}

TEST(OutOfMemory, TheKillerMayTakeTheShimToo) {
    JobState job = saved_job();
    const Effects gone = advance(job, event::TaskGone{k_batch, k_killed});
    EXPECT_TRUE(has<effect::KillTree>(gone));
    EXPECT_TRUE(has<effect::RecordFailure>(gone));
    EXPECT_FALSE(has<effect::RecordFailure>(advance(job, event::TaskGone{k_batch, k_killed})));
    EXPECT_TRUE(has<effect::ReleaseEpilog>([&] {
        advance(job, event::EpilogArrived{});
        return advance(job, event::CompletionRecorded{});
    }()));
}

TEST(OutOfMemory, AnEndThatSlurmHasBegunIsSlurms) {
    JobState job = saved_job();
    advance(job, event::TermArrived{k_batch});
    advance(job, event::CauseKnown{Cause::cancelled});
    EXPECT_FALSE(has<effect::RecordFailure>(advance(job, event::TreeExited{k_batch, SIGKILL, k_killed})));
}

TEST(OutOfMemory, AJobWithoutCheckpointsIsLeftAlone) {
    JobState job = fresh_job();
    job.unmanaged = some_error();
    advance(job, event::ShimArrived{k_batch});
    advance(job, event::TreeStarted{k_batch});
    const Effects out = advance(job, event::TreeExited{k_batch, SIGSEGV, k_killed});
    EXPECT_FALSE(has<effect::RecordFailure>(out));
    EXPECT_FALSE(has<effect::Say>(out));
    EXPECT_TRUE(has<effect::LetShimLeave>(out));
}

TEST(Fault, IsNoCompletionAndSaysHowToGoOn) {
    JobState job = saved_job();
    const Effects out = advance(job, event::TreeExited{k_batch, exited(128 + SIGSEGV), k_fine});
    EXPECT_FALSE(has<effect::RecordCompletion>(out));
    ASSERT_EQ(all<effect::RecordFailure>(out).size(), 1U);
    EXPECT_EQ(all<effect::RecordFailure>(out)[0].failure, fault(SIGSEGV));
    EXPECT_THAT(
        said(out),
        ElementsAre("the program died of SIGSEGV, generation 3 is kept; `scontrol requeue 12` goes on "
                    "from there [CKPT-702]"));
}

TEST(Fault, WithNothingSavedNothingIsSaid) {
    JobState job = running_job();
    const Effects out = advance(job, event::TreeExited{k_batch, SIGABRT, k_fine});
    EXPECT_TRUE(has<effect::RecordFailure>(out));
    EXPECT_FALSE(has<effect::Say>(out));
}

Effects adopt_after(const LastEnd& last, std::uint64_t limit_now) {
    JobState job = fresh_job();
    job.job_id = 12;
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    event::AdoptEnded found = found_generation(3);
    found.last_end = last;
    found.memory_limit = limit_now;
    return advance(job, found);
}

TEST(SameEndAgain, OutOfMemoryIsHeldUntilThereIsMore) {
    const LastEnd last{k_out_of_memory, false};
    for (const std::uint64_t limit : {k_limit, k_limit - 1}) {
        const Effects out = adopt_after(last, limit);
        EXPECT_FALSE(has<effect::Restore>(out));
        ASSERT_EQ(all<effect::HoldJob>(out).size(), 1U);
        EXPECT_THAT(all<effect::HoldJob>(out)[0].reason,
                    HasSubstr("raise its MinMemoryNode to 200 with scontrol update, then "
                              "`scontrol release 12` goes on from generation 3"));
    }
    EXPECT_TRUE(has<effect::Restore>(adopt_after(last, k_limit + 1)));
    EXPECT_TRUE(has<effect::Restore>(adopt_after(last, 0))) << "no limit here";
}

TEST(SameEndAgain, TheNodesOwnMemoryIsAnotherMatterEachTime) {
    const LastEnd last{Failure{Failure::Kind::out_of_memory, 0, 0}, false};
    EXPECT_TRUE(has<effect::Restore>(adopt_after(last, 0)));
    EXPECT_TRUE(has<effect::Restore>(adopt_after(last, k_limit)));
}

TEST(SameEndAgain, AFaultIsHeldOnlyWhenItCameTwiceFromOneGeneration) {
    EXPECT_TRUE(has<effect::Restore>(adopt_after({fault(SIGSEGV), false}, 0)));
    const Effects out = adopt_after({fault(SIGSEGV), true}, 0);
    EXPECT_FALSE(has<effect::Restore>(out));
    ASSERT_EQ(all<effect::HoldJob>(out).size(), 1U);
    EXPECT_EQ(all<effect::HoldJob>(out)[0].reason,
              "the program died of SIGSEGV again after generation 3, without getting to a new one; "
              "`scontrol release 12` tries again [CKPT-702]");
}

TEST(SameEndAgain, ReasonsFitIntoAComment) {
    for (const LastEnd& last : {LastEnd{k_out_of_memory, false}, LastEnd{fault(SIGSEGV), true}}) {
        const auto reason = same_end_again(last, k_limit, 4294967295, 999999);
        EXPECT_LE(one_line(reason.value_or(some_error())).size(), 400U); // spank/slurmctld/comment.cpp
        EXPECT_TRUE(reason);
    }
}

TEST(Fault, TheSecondTimeItSaysThatARequeueHolds) {
    JobState job = fresh_job();
    job.restart_count = 1;
    advance(job, event::ShimArrived{k_batch});
    event::AdoptEnded found = found_generation(3);
    found.last_end.failure = Failure{Failure::Kind::fault, 0, SIGSEGV};
    advance(job, found);
    advance(job, event::RestoreEnded{k_batch, std::nullopt, 0, 3, "1 min", "n1", {}});
    const auto said = all<effect::Say>(advance(job, event::TreeExited{k_batch, SIGSEGV}));
    ASSERT_EQ(said.size(), 1U);
    EXPECT_THAT(said.front().line, testing::HasSubstr("holds it"));
}

} // namespace
} // namespace ckpt
