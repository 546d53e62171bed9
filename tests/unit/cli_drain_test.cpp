// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/drain.hpp"

namespace ckpt::cli {
namespace {

using testing::HasSubstr;

TEST(CliDrain, WhatSlurmctldSaysOfANode) {
    const auto up = parse_node("up\n7001 n1 10.0.0.1 1000 my  job\n7002 n2 node2.site 0 \n");
    ASSERT_TRUE(up);
    EXPECT_TRUE(up->takes_jobs);
    ASSERT_EQ(up->jobs.size(), 2U);
    EXPECT_EQ(up->jobs[0].id, 7001U);
    EXPECT_EQ(up->jobs[0].host, "n1");
    EXPECT_EQ(up->jobs[0].address, "10.0.0.1");
    EXPECT_EQ(up->jobs[0].uid, 1000U);
    EXPECT_EQ(up->jobs[0].name, "my  job");
    EXPECT_EQ(up->jobs[1].name, "");
    const auto idle = parse_node("draining\n");
    ASSERT_TRUE(idle);
    EXPECT_FALSE(idle->takes_jobs);
    EXPECT_TRUE(idle->jobs.empty());
    for (const char* text :
         {"", "down\n", "up\n7001\n", "up\nx n1 a 0 j\n", "up\n7001 n1 a x j\n", "up\n7001 n1 a -1 j\n"})
        EXPECT_FALSE(parse_node(text)) << text;
}

std::vector<DrainedJob> one_gone_one_left() {
    DrainedJob gone{7001, "n1", "a", 1000, "one", 3, std::nullopt};
    DrainedJob left{
        7002, "n1", "a", 1001, "two", 0, Error{Code::not_found, "it runs without checkpoints", "", 0}};
    return {gone, left};
}

TEST(CliDrain, SaysWhatIsLeftAndWhatToDo) {
    EXPECT_EQ(drain_summary("n1", {}), "node n1: 0 jobs saved and requeued; none is left\n");
    const std::string text = drain_summary("n1", one_gone_one_left());
    EXPECT_THAT(text, HasSubstr("node n1: 1 job saved and requeued; 1 job could not be and run on:\n"));
    EXPECT_THAT(text, HasSubstr("  7002 two (uid 1001): it runs without checkpoints"));
    EXPECT_THAT(text, HasSubstr("scontrol requeue"));
}

TEST(CliDrain, SaysWhatWouldBeLeft) {
    const std::vector<DrainedJob> jobs = one_gone_one_left();
    EXPECT_EQ(dry_run_text("n1", {}), "node n1: none would be left\n");
    EXPECT_THAT(dry_run_text("n1", jobs),
                HasSubstr("job 7001 one (uid 1000) would be saved and requeued\nnode n1: 1 job could "
                          "not be saved and would run on:\n  7002 two (uid 1001): it runs"));
    const auto json = nlohmann::json::parse(dry_run_json("n1", jobs));
    EXPECT_TRUE(json["dry_run"]);
    EXPECT_TRUE(json["jobs"][0]["would_requeue"]);
    EXPECT_FALSE(json["jobs"][0].contains("generation"));
    EXPECT_FALSE(json["jobs"][1]["would_requeue"]);
}

TEST(CliDrain, ForPrograms) {
    std::vector<DrainedJob> jobs = one_gone_one_left();
    jobs[0].name = "\xff";
    const auto json = nlohmann::json::parse(drain_json("n1", jobs));
    EXPECT_EQ(json["node"], "n1");
    EXPECT_EQ(json["jobs"][0]["generation"], 3);
    EXPECT_TRUE(json["jobs"][0]["requeued"]);
    EXPECT_FALSE(json["jobs"][1]["requeued"]);
    EXPECT_THAT(json["jobs"][1]["error"], HasSubstr("CKPT-"));
}

} // namespace
} // namespace ckpt::cli
