// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/generations.hpp"
#include "cli/job_id.hpp"
#include "cli/restart_source.hpp"
#include "cli/slurm_job.hpp"

namespace ckpt::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Json generation(std::uint32_t number, bool verified = true) {
    Json line = {{"job", 76}, {"incarnation", 0}, {"generation", number}, {"verified", verified}};
    if (!verified) line["problem"] = "sealed with a key that is not here";
    return line;
}

TEST(CliRestart, AJobAndPerhapsAGeneration) {
    EXPECT_EQ(restart_from("4711").value().job_id, 4711U);
    EXPECT_EQ(restart_from("4711").value().generation, 0U);
    EXPECT_EQ(restart_from("4711@3").value().generation, 3U);
    for (const char* text : {"", "auto", "never", "4711@", "8_2", "job"})
        EXPECT_FALSE(restart_from(text)) << text;
}

TEST(CliRestart, WhatSlurmctldSaysOfAJob) {
    const auto element = parse_job("76 cancelled 3 1001 my  job\n");
    ASSERT_TRUE(element);
    EXPECT_EQ(element->id, 76U);
    EXPECT_EQ(element->state, "cancelled");
    EXPECT_EQ(element->task, 3U);
    EXPECT_EQ(element->uid, 1001U);
    EXPECT_EQ(element->name, "my  job");
    const auto plain = parse_job("76 running - 0 \n");
    ASSERT_TRUE(plain);
    EXPECT_FALSE(plain->task);
    EXPECT_EQ(plain->name, "");
    EXPECT_TRUE(is_live(*plain));
    EXPECT_FALSE(is_live(*element));
    for (const char* text : {"", "x", "x running - 0 a", "76", "76 running - a", "76 running - -1 a"})
        EXPECT_FALSE(parse_job(text)) << text;
}

TEST(CliRestart, OfAnArrayOnlyTheElementIsSubmitted) {
    const SlurmJob element{76, "failed", 3, "my job", 1001};
    EXPECT_THAT(sbatch_arguments({76, 2}, "", element, {"-p", "debug"}),
                ElementsAre("--parsable", "--checkpoint-restore=76@2", "--job-name=my job", "--array=3", "-p",
                            "debug"));
    const SlurmJob plain{76, "failed", {}, "a", 1001};
    EXPECT_THAT(sbatch_arguments({76, 0}, "/d", plain, {}),
                ElementsAre("--parsable", "--checkpoint-restore=76", "--checkpoint-dir=/d", "--job-name=a"));
    EXPECT_EQ(quoted("--array=3"), "--array=3");
    EXPECT_EQ(quoted("it's"), "'it'\\''s'");
}

TEST(CliRestart, NobodyElsesJobIsSubmitted) {
    const SlurmJob job{76, "failed", {}, "a", 1001};
    EXPECT_TRUE(check_own(job, 1001, "alice", {"restart", "76"}));
    for (const std::uint32_t caller : {0U, 1002U}) {
        const auto other = check_own(job, caller, "alice", {"restart", "76", "--", "--comment=two words"});
        ASSERT_FALSE(other);
        EXPECT_EQ(other.error().code, Code::not_permitted);
        EXPECT_THAT(other.error().what, HasSubstr("job 76 is alice's"));
        EXPECT_EQ(other.error().hint, "sudo -u alice sckpt restart 76 -- '--comment=two words'");
    }
}

TEST(CliRestart, AScriptDoesNotEndItsHereDocument) {
    EXPECT_EQ(end_word("#!/bin/sh\necho SCRIPT\n"), "SCRIPT");
    EXPECT_EQ(end_word("cat <<SCRIPT\nSCRIPT\nSCRIPT_"), "SCRIPT__");
    EXPECT_EQ(end_word("SCRIPT"), "SCRIPT_");
}

TEST(CliRestart, WhatIsInTheWayIsSaid) {
    EXPECT_TRUE(check_usable({76, 0}, {generation(1), generation(2, false)}));
    EXPECT_TRUE(check_usable({76, 1}, {generation(1), generation(2)}));
    const auto none = check_usable({76, 0}, {});
    EXPECT_EQ(none.error().what, "job 76 has no checkpoint to go on from");
    EXPECT_THAT(none.error().hint, HasSubstr("--dir=DIR"));
    EXPECT_EQ(check_usable({76, 9}, {generation(1)}).error().what, "job 76 has no generation 9");
    const auto sealed = check_usable({76, 0}, {generation(1, false)});
    EXPECT_EQ(sealed.error().code, Code::store_corrupt);
    EXPECT_THAT(sealed.error().what, HasSubstr("sealed with a key that is not here"));
}

TEST(CliRestart, WhoHasClaimedTheJob) {
    Json one = generation(1);
    one["claimed_by"] = {79, 78};
    Json two = generation(2);
    two["claimed_by"] = {79, "x"};
    EXPECT_THAT(claimants_in({generation(3), one, two}), ElementsAre(78, 79));
}

TEST(CliRestart, AnElementThatSlurmctldDoesNotKnowIsNoJob) {
    EXPECT_EQ(number_of_job("76").value(), "76");
    for (const char* text : {"x", "_", "7_", "_7", "7_x"})
        EXPECT_THAT(number_of_job(text).error().what, HasSubstr("is not a job id")) << text;
}

TEST(CliVerify, WhatIsUsedInstead) {
    EXPECT_TRUE(verdict_on_all({generation(1)}));
    const auto some = verdict_on_all({generation(1), generation(2, false)});
    EXPECT_EQ(some.error().what, "1 of 2 generations are bad");
    EXPECT_THAT(some.error().hint, HasSubstr("used in their place"));
    const auto all = verdict_on_all({generation(1, false), generation(2, false)});
    EXPECT_EQ(all.error().what, "2 of 2 generations are bad; there is no good one of job 76");
    EXPECT_THAT(all.error().hint, ::testing::Not(HasSubstr("in their place")));
}

} // namespace
} // namespace ckpt::cli
