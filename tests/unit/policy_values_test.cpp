// SPDX-License-Identifier: GPL-2.0-or-later
#include <csignal>
#include <string>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/values.hpp"

namespace ckpt {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

// Names by number: the values would be in the names of the ctest cases.
constexpr auto k_numbered = [](const auto& test) { return "case_" + std::to_string(test.index); };

struct DurationCase {
    const char* text;
    Seconds value;
};
class Duration : public testing::TestWithParam<DurationCase> {};

TEST_P(Duration, MeansWhatSlurmMeans) {
    const auto value = parse_duration(GetParam().text);
    ASSERT_TRUE(value) << value.error().what;
    EXPECT_EQ(*value, GetParam().value);
}

INSTANTIATE_TEST_SUITE_P(Formats, Duration,
                         testing::Values(DurationCase{"30", 30min}, DurationCase{"1", 1min},
                                         DurationCase{"0030", 30min}, DurationCase{"0:01", 1s},
                                         DurationCase{"5:30", 330s}, DurationCase{"90:00", 90min},
                                         DurationCase{"1:30:00", 90min}, DurationCase{"0:90:00", 90min},
                                         DurationCase{"2-0", 48h}, DurationCase{"1-12", 36h},
                                         DurationCase{"1-12:30", 36h + 30min}, DurationCase{"0-0:0:7", 7s},
                                         DurationCase{"1-2:03:04", 26h + 3min + 4s}, DurationCase{"90s", 90s},
                                         DurationCase{"15m", 15min}, DurationCase{"6h", 6h},
                                         DurationCase{"1d", 24h}, DurationCase{"365d", 365 * 24h}),
                         k_numbered);

class NoDuration : public testing::TestWithParam<const char*> {};

TEST_P(NoDuration, IsRefused) {
    const auto value = parse_duration(GetParam());
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().code, Code::option_value);
    EXPECT_THAT(value.error().what, HasSubstr("\"" + std::string(GetParam()) + "\" is"));
}

INSTANTIATE_TEST_SUITE_P(Malformed, NoDuration,
                         testing::Values("", "0", "0s", "0:00", "0-0", "-1", "-30", "+30", " 30", "30 ", "3x",
                                         "s", "m", ":", ":30", "30:", "1::2", "1:2:3:4", "1-", "-1:00",
                                         "1-2-3", "1-2:3:4:5", "1.5h", "1h30m", "h1", "0x10", "1e3",
                                         "INFINITE", "UNLIMITED", "366d", "31536001s", "8761h", "366-0",
                                         "9999999999", "99999999999999999999999s", "1-9999999999"),
                         k_numbered);

TEST(DurationLimit, TellsWhichWayItWasExceeded) {
    EXPECT_THAT(parse_duration("0").error().what, HasSubstr("shorter than one second"));
    EXPECT_THAT(parse_duration("99999999999999999999").error().what, HasSubstr("longer than 365 days"));
    EXPECT_THAT(parse_duration("400d", 2 * k_year).value(), 400 * 24h);
    EXPECT_THAT(parse_duration("800d", 2 * k_year).error().what, HasSubstr("longer than 730 days"));
}

TEST(IntervalText, KnowsAutoAndNone) {
    EXPECT_EQ(parse_interval("auto").value(), Interval{IntervalAuto{}});
    EXPECT_EQ(parse_interval("None").value(), Interval{IntervalNone{}});
    EXPECT_EQ(parse_interval("2h").value(), Interval{Seconds{2h}});
    EXPECT_FALSE(parse_interval("automatic"));
}

TEST(TriggersText, IsAListOrNone) {
    EXPECT_EQ(parse_triggers("none").value().bits, 0);
    EXPECT_EQ(parse_triggers("timelimit").value().bits, 1);
    EXPECT_EQ(parse_triggers("drain,PREEMPT,drain").value().bits, 8 | 2);
    EXPECT_TRUE(parse_triggers("cancel").value().has(Trigger::cancel));
    for (const char* text :
         {"", ",", "preempt,", ",preempt", "preempt,,drain", "preempt drain", "preempt,none"})
        EXPECT_FALSE(parse_triggers(text)) << text;
    EXPECT_EQ(parse_triggers("preempt,timelimt").error().hint, "did you mean \"timelimit\"");
}

TEST(SignalText, IsANameOrANumber) {
    for (const char* text : {"USR1", "SIGUSR1", "usr1", "sigusr1", "10"})
        EXPECT_EQ(parse_signal(text).value(), SIGUSR1) << text;
    EXPECT_EQ(parse_signal(std::to_string(SIGRTMIN)).value(), SIGRTMIN);
    for (const char* text :
         {"", "SIG", "0", "-10", "65", "32", "99999999999999999999", "USR3", "USR1 ", "EXIT"})
        EXPECT_FALSE(parse_signal(text)) << text;
    for (const char* text : {"KILL", "9", "SIGSTOP", "19"})
        EXPECT_THAT(parse_signal(text).error().what, HasSubstr("cannot be caught")) << text;
    EXPECT_EQ(parse_signal("UST1").error().hint, "did you mean \"USR1\"");
}

TEST(MethodText, AppNeedsASignal) {
    EXPECT_EQ(parse_method("criu").value().kind, Method::Kind::criu);
    EXPECT_EQ(parse_method("app:TERM").value(), (Method{Method::Kind::app, SIGTERM}));
    for (const char* text : {"", "app", "app:", "app:KILL", "app:STOP", "app:CONT", "app:TSTP", "app:CHLD",
                             "app:SEGV", "app:11", "app:NOPE", "app:USR1:", "criu:USR1", "dmtcp"})
        EXPECT_FALSE(parse_method(text)) << text;
}

TEST(RestoreText, NamesJobAndGeneration) {
    EXPECT_EQ(parse_restore("never").value().kind, Restore::Kind::never);
    EXPECT_EQ(parse_restore("123").value(), (Restore{Restore::Kind::job, 123, 0}));
    EXPECT_EQ(parse_restore("123@7").value(), (Restore{Restore::Kind::job, 123, 7}));
    EXPECT_THAT(parse_restore("76_2@1").error().what, HasSubstr("squeue -o %A"));
    for (const char* text : {"", "0", "-1", "@", "@7", "123@", "123@0", "123@x", "123@4294967296",
                             "4294967295", "123_4", "123@7@8"})
        EXPECT_FALSE(parse_restore(text)) << text;
}

TEST(CountText, IsBounded) {
    EXPECT_EQ(parse_count("10", 1, 10).value(), 10U);
    for (const char* text : {"", "0", "11", "-1", "+1", "1.0", "4294967297", "99999999999999999999", "1 "})
        EXPECT_FALSE(parse_count(text, 1, 10)) << text;
}

TEST(DirectoryText, IsACleanAbsolutePath) {
    EXPECT_EQ(parse_directory("/scratch/u").value(), "/scratch/u");
    EXPECT_EQ(parse_directory("/scratch/").value(), "/scratch");
    EXPECT_EQ(parse_directory("/a/...").value(), "/a/...");
    EXPECT_EQ(parse_directory("/" + std::string(1023, 'a')).value().size(), 1024U);
    for (const std::string& text :
         {std::string(), std::string("/"), std::string("//"), std::string("scratch"), std::string("/a/../b"),
          std::string("/.."), std::string("/a/./b"), std::string("/a//b"), std::string("/a\nb"),
          std::string("/a\0b", 4), std::string("/a\x7f"), "/" + std::string(1024, 'a')})
        EXPECT_FALSE(parse_directory(text)) << text;
}

TEST(SizeText, HasPowersOf1024) {
    EXPECT_EQ(parse_size("512K").value(), 512U << 10);
    EXPECT_EQ(parse_size("2T").value(), 2ULL << 40);
    EXPECT_EQ(parse_size("17").value(), 17U);
    for (const char* text : {"", "K", "1KB", "1k", "-1", "1.5G", "16777216T", "99999999999999999999"})
        EXPECT_FALSE(parse_size(text)) << text;
}

// What explain prints can be typed again.
TEST(NormalisedText, IsAcceptedAgain) {
    for (const char* text : {"auto", "none", "90s", "15m", "6h", "1d", "61m", "364d", "31535999s"})
        EXPECT_EQ(to_string(parse_interval(text).value()), text);
    EXPECT_EQ(to_string(parse_interval("1-12").value()), "36h");
    for (const char* text : {"none", "timelimit", "timelimit,preempt,requeue,drain,cancel"})
        EXPECT_EQ(to_string(parse_triggers(text).value()), text);
    for (const char* text : {"auto", "criu", "app:USR1", "app:40"})
        EXPECT_EQ(to_string(parse_method(text).value()), text);
    for (const char* text : {"auto", "never", "12", "12@3"})
        EXPECT_EQ(to_string(parse_restore(text).value()), text);
    for (const char* text : {"append", "copy", "none"})
        EXPECT_EQ(to_string(parse_files(text).value()), text);
}

} // namespace
} // namespace ckpt
