// SPDX-License-Identifier: GPL-2.0-or-later
// Every option against every kind of bad value, generated from the option table.
#include <cctype>
#include <csignal>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/request.hpp"

namespace ckpt {
namespace {

using testing::HasSubstr;

struct BadValue {
    const char* name;
    std::string value;
};

const std::vector<BadValue>& bad_values() {
    static const std::vector<BadValue> values{
        {"empty", ""},
        {"unknown", "bogus"},
        {"overflow", "99999999999999999999999999"},
        {"negative", "-1"},
        {"newline", "15m\nsrun: fatal"},
        {"only_newline", "\n"},
        {"escape", "/scratch/\x1b[2J"},
        {"not_ascii", "15\xc2\x9bm"},
        {"one_mebibyte", std::string(1U << 20, '1')},
        {"one_mebibyte_path", "/" + std::string(1U << 20, 'a')},
    };
    return values;
}

class BadOption : public testing::TestWithParam<std::tuple<OptionRow, BadValue>> {};

TEST_P(BadOption, IsRefusedWithNameAndWhatIsAccepted) {
    const auto& [row, bad] = GetParam();
    Request request;
    const Status status = request.set(row.name, bad.value);
    // Slurm hands on an option without argument as "", so only there it is a value like any other.
    if (row.argument_optional && bad.value.empty()) {
        EXPECT_TRUE(status);
        return;
    }
    ASSERT_FALSE(status);
    const Error& error = status.error();
    EXPECT_EQ(error.code, Code::option_value);
    EXPECT_TRUE(error.what.starts_with("--" + std::string(row.name) + ": ")) << error.what;
    EXPECT_THAT(error.what, HasSubstr(std::string("accepted: ") + row.accepts));
    EXPECT_LT(error.what.size(), 400U) << "the value is quoted in part only";
    for (const char c : error.what + error.hint)
        ASSERT_TRUE(c >= 0x20 && c < 0x7f) << error.what;
    EXPECT_FALSE(request.has_details()) << "a refused value leaves nothing behind";
    EXPECT_FALSE(request.enabled);
}

INSTANTIATE_TEST_SUITE_P(Every, BadOption,
                         testing::Combine(testing::ValuesIn(option_table().begin(), option_table().end()),
                                          testing::ValuesIn(bad_values())),
                         [](const auto& test) {
                             std::string name = std::get<0>(test.param).name;
                             for (char& c : name)
                                 if (c == '-') c = '_';
                             return name + "_" + std::get<1>(test.param).name;
                         });

// Spellings are stored in queued jobs: this list only ever grows.
TEST(OptionTable, KeepsItsSpellings) {
    const std::map<std::string, std::string> expected{
        {"checkpoint", "CHECKPOINT"},
        {"checkpoint-interval", "CHECKPOINT_INTERVAL"},
        {"checkpoint-dir", "CHECKPOINT_DIR"},
        {"checkpoint-on", "CHECKPOINT_ON"},
        {"checkpoint-signal", "CHECKPOINT_SIGNAL"},
        {"checkpoint-method", "CHECKPOINT_METHOD"},
        {"checkpoint-keep", "CHECKPOINT_KEEP"},
        {"checkpoint-restore", "CHECKPOINT_RESTORE"},
        {"checkpoint-max-restarts", "CHECKPOINT_MAX_RESTARTS"},
        {"checkpoint-files", "CHECKPOINT_FILES"},
    };
    std::map<std::string, std::string> actual;
    for (const OptionRow& row : option_table()) {
        actual.emplace(row.name, row.environment);
        EXPECT_EQ(option_row(row.option).name, row.name);
        EXPECT_EQ(find_option(row.name), &row);
    }
    EXPECT_EQ(actual, expected);
}

TEST(OptionTable, EveryOptionTakesAGoodValue) {
    const std::map<std::string, std::string> good{
        {"checkpoint", "1:30:00"},    {"checkpoint-interval", "15m"}, {"checkpoint-dir", "/scratch/%u"},
        {"checkpoint-on", "drain"},   {"checkpoint-signal", "USR2"},  {"checkpoint-method", "app:TERM"},
        {"checkpoint-keep", "3"},     {"checkpoint-restore", "17@2"}, {"checkpoint-max-restarts", "0"},
        {"checkpoint-files", "copy"},
    };
    for (const OptionRow& row : option_table()) {
        Request request;
        const Status status = request.set(row.name, good.at(row.name));
        ASSERT_TRUE(status) << status.error().what;
        EXPECT_TRUE(request.has_details()) << row.name;
    }
}

TEST(RequestSet, UnknownOptionIsNamed) {
    const Status status = Request{}.set("checkpoint-intervall", "15m");
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().what, HasSubstr("\"checkpoint-intervall\" is not an option"));
    EXPECT_EQ(status.error().hint, "did you mean \"checkpoint-interval\"");
    EXPECT_FALSE(Request{}.set("", ""));
    EXPECT_FALSE(Request{}.set(std::string(1U << 20, '-'), ""));
}

TEST(RequestSet, CheckpointSwitchesOnAndOff) {
    for (const char* value : {"", "(null)", "on", "auto", "30"}) {
        Request request;
        ASSERT_TRUE(request.set("checkpoint", value)) << value;
        EXPECT_EQ(request.enabled, true) << value;
    }
    for (const char* value : {"off", "OFF", "no"}) {
        Request request;
        ASSERT_TRUE(request.set("checkpoint", value)) << value;
        EXPECT_EQ(request.enabled, false) << value;
    }
    EXPECT_FALSE(Request{}.set("checkpoint", "none"));
}

// slurmstepd calls back in the order of registration, sbatch in the order typed: both must mean the same.
TEST(RequestSet, IntervalWinsOverCheckpointTimeInAnyOrder) {
    Request typed;
    ASSERT_TRUE(typed.set("checkpoint-interval", "1h"));
    ASSERT_TRUE(typed.set("checkpoint", "30"));
    Request replayed;
    ASSERT_TRUE(replayed.set("checkpoint", "30"));
    ASSERT_TRUE(replayed.set("checkpoint-interval", "1h"));
    EXPECT_EQ(typed.interval, Interval{Seconds{3600}});
    EXPECT_EQ(replayed.interval, typed.interval);
}

TEST(RequestSet, LastCheckpointCounts) {
    Request request;
    ASSERT_TRUE(request.set("checkpoint", "30"));
    EXPECT_EQ(request.interval, Interval{Seconds{1800}});
    ASSERT_TRUE(request.set("checkpoint", ""));
    EXPECT_EQ(request.enabled, true);
    EXPECT_FALSE(request.interval) << "slurmstepd sees the last one only";
}

TEST(RequestSet, SignalsWithAMeaningAreNotForCheckpoints) {
    for (const char* value : {"TERM", "15", "CONT", "TSTP", "CHLD", "KILL", "STOP"})
        EXPECT_FALSE(Request{}.set("checkpoint-signal", value)) << value;
    EXPECT_TRUE(Request{}.set("checkpoint-method", "app:TERM")) << "a program may save itself on TERM";
}

} // namespace
} // namespace ckpt
