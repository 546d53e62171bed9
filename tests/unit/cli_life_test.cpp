// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/life.hpp"

namespace ckpt::cli {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

Json generation(int number, int at, int incarnation, int since) {
    return {{"event", "generation"},
            {"at", at},
            {"saved_at", at + 2},
            {"incarnation", incarnation},
            {"generation", number},
            {"since", since},
            {"cpus", 4},
            {"reason", "interval"},
            {"nodes", {"n1", "n2"}},
            {"image_bytes", 1024},
            {"stored_bytes", 512},
            {"frozen_us", 700'000}};
}

std::vector<Json> moved_once() {
    const Json history = {{"cluster", "alpha"},
                          {"uuid", "u"},
                          {"job", 7001},
                          {"user", "alice"},
                          {"history",
                           {generation(1, 2000, 0, 1000),
                            generation(2, 3000, 0, 1000),
                            {{"event", "start"},
                             {"at", 4000},
                             {"incarnation", 1},
                             {"node", "n3"},
                             {"from_incarnation", 0},
                             {"from_generation", 2},
                             {"saved_s", 2000},
                             {"cpus", 4}},
                            generation(3, 5000, 1, 4000),
                            {{"event", "end"},
                             {"at", 6000},
                             {"incarnation", 1},
                             {"how", "completed"},
                             {"wait_status", 7 << 8}}}}};
    const Json there = {{"cluster", "alpha"}, {"uuid", "u"},      {"job", 7001},     {"incarnation", 1},
                        {"generation", 3},    {"verified", true}, {"taken_at", 5000}};
    return {there, history};
}

TEST(CliLife, OneThatWasHeldDidNotStartOver) {
    auto lines = moved_once();
    Json& events = lines[1]["history"];
    for (const char* name : {"from_incarnation", "from_generation", "saved_s", "cpus"})
        events[2].erase(name);
    EXPECT_THAT(life_text(lives_in(lines)[0], false), HasSubstr("from its beginning"));
    events[2]["unusable"] = true;
    const std::string text = life_text(lives_in(lines)[0], false);
    EXPECT_THAT(text, HasSubstr("nothing could be restored there"));
    EXPECT_THAT(text, Not(HasSubstr("from its beginning")));
}

TEST(CliLife, IsMadeOfHistoryAndStore) {
    const auto lives = lives_in(moved_once());
    ASSERT_THAT(lives, SizeIs(1));
    const Life& life = lives[0];
    ASSERT_THAT(life.incarnations, SizeIs(2));
    EXPECT_EQ(life.incarnations[0].from, 1000);
    EXPECT_EQ(life.incarnations[0].to, 3000);
    ASSERT_THAT(life.incarnations[0].generations, SizeIs(2));
    EXPECT_FALSE(life.incarnations[0].generations[0].is_there);
    EXPECT_TRUE(life.incarnations[1].generations[0].is_there);
    EXPECT_EQ(life.incarnations[1].generations[0].stored_bytes, 512U) << "the history knows more";
    EXPECT_EQ(life.restores(), 1U);
    EXPECT_EQ(life.saved_s(), 2000);
    EXPECT_EQ(life.saved_cpu_s(), 8000U);
}

TEST(CliLife, OfAStoreWithoutHistory) {
    const auto lives = lives_in({moved_once()[0]});
    ASSERT_THAT(lives, SizeIs(1));
    EXPECT_EQ(lives[0].incarnations[0].from, 5000);
    EXPECT_THAT(life_text(lives[0], true), HasSubstr("there"));
    EXPECT_THAT(lives_in({}), SizeIs(0));
}

TEST(CliLife, Drawn) {
    const std::string text = life_text(lives_in(moved_once())[0], true);
    EXPECT_THAT(text, HasSubstr("job 7001 of alice in alpha"));
    EXPECT_THAT(text, testing::ContainsRegex("  0 +n1,n2 +\\[-+1-+2"));
    EXPECT_THAT(text, testing::ContainsRegex(
                          "  1 +n3 +>-+3-+\\] +restored from generation 2; completed, exit status 7"));
    EXPECT_THAT(text, HasSubstr("1 restore; 33 min of run time need not be spent again, 2 h of CPU time"));
    EXPECT_THAT(text, HasSubstr("removed"));
}

// What is in the store may be anybody's doing.
TEST(CliLife, APageThatNobodyCanWriteInto) {
    auto lines = moved_once();
    lines[1]["user"] = "<script>alert(1)</script>";
    lines[1]["history"][0]["reason"] = "\"><img src=x onerror=alert(1)>";
    lines[1]["history"][2]["node"] = "a&b\x01";
    const std::string page = life_html(lives_in(lines)[0], 6100);
    EXPECT_THAT(page, Not(HasSubstr("<script")));
    EXPECT_THAT(page, Not(HasSubstr("<img")));
    EXPECT_THAT(page, HasSubstr("a&amp;b?"));
    EXPECT_THAT(page, Not(HasSubstr("http"))) << "it needs nothing else";
    EXPECT_THAT(page, HasSubstr("prefers-color-scheme:dark"));
    EXPECT_THAT(page, HasSubstr("generation 2 of incarnation 0"));
}

TEST(CliLife, OfNonsense) {
    for (const char* text : {"[]", "null", "5", "[1, \"x\", null, []]", "[{\"event\": 5}]",
                             "[{\"event\": \"start\", \"at\": \"x\"}]"}) {
        const Json line = {{"history", Json::parse(text)}, {"job", "x"}};
        for (const Life& life : lives_in({line})) {
            (void)life_text(life, true);
            (void)life_html(life, 0);
        }
    }
}

} // namespace
} // namespace ckpt::cli
