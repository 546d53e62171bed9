// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

#include "policy/margin.hpp"

namespace ckpt {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t k_gigabyte = 1'000'000'000;
constexpr std::uint64_t k_most_bytes = std::numeric_limits<std::uint64_t>::max();
constexpr double k_nan = std::numeric_limits<double>::quiet_NaN();
constexpr double k_infinity = std::numeric_limits<double>::infinity();

Seconds time_limit_margin(const CheckpointCost& cost, const PolicyTimeLimit& policy, Seconds allowance) {
    return limit_margin(cost, policy, allowance).margin;
}

TEST(TimeLimitMargin, TakesLowRatesUntilSomeAreMeasured) {
    EXPECT_EQ(time_limit_margin({k_gigabyte, {}, {}}, {}, 1h), 48s) << "1.5 * (5 s + 20 s) + 10 s";
    EXPECT_EQ(time_limit_margin({k_gigabyte, {1e9, 0}, {}}, {}, 1h), 42s) << "1.5 * (1 s + 20 s) + 10 s";
    EXPECT_EQ(time_limit_margin({k_gigabyte, {}, {1e8, 0}}, {}, 1h), 33s) << "1.5 * (5 s + 10 s) + 10 s";
    EXPECT_EQ(time_limit_margin({k_gigabyte, {1e9, 0}, {1e8, 0}}, {}, 1h), 27s)
        << "1.5 * (1 s + 10 s) + 10 s";
    for (const double rate : {-1e9, k_nan, k_infinity, -k_infinity})
        EXPECT_EQ(time_limit_margin({k_gigabyte, {rate, 0}, {rate, 0}}, {}, 1h), 48s) << rate;
}

TEST(TimeLimitMargin, FollowsThePolicy) {
    PolicyTimeLimit policy;
    policy.safety = 2;
    policy.reserve = 1min;
    EXPECT_EQ(time_limit_margin({k_gigabyte, {1e9, 0}, {1e8, 0}}, policy, 1h), 82s);
    policy.safety = 1;
    EXPECT_EQ(time_limit_margin({k_gigabyte, {1e9, 0}, {1e8, 0}}, policy, 1h), 71s);
}

TEST(TimeLimitMargin, IsRoundedUp) {
    EXPECT_EQ(time_limit_margin({0, {}, {}}, {}, 1h), 10s) << "the reserve alone";
    EXPECT_EQ(time_limit_margin({1, {}, {}}, {}, 1h), 11s);
    EXPECT_EQ(time_limit_margin({0, {}, {}, 7s}, {}, 1h), 17s) << "the job's place in the spread";
    PolicyTimeLimit policy;
    policy.reserve = 0s;
    EXPECT_EQ(time_limit_margin({0, {}, {}}, policy, 1h), 1s);
}

TEST(TimeLimitMargin, LeavesHalfTheAllowance) {
    EXPECT_EQ(time_limit_margin({k_gigabyte, {}, {}}, {}, 96s), 48s);
    EXPECT_EQ(time_limit_margin({k_gigabyte, {}, {}}, {}, 95s), 47s);
    EXPECT_EQ(time_limit_margin({k_gigabyte, {}, {}}, {}, 1min), 30s);
    for (const Seconds allowance : {3s, 2s, 1s})
        EXPECT_EQ(time_limit_margin({k_gigabyte, {}, {}}, {}, allowance), 1s) << allowance.count();
}

TEST(TimeLimitMargin, UnknownAllowanceDoesNotCap) {
    for (const Seconds allowance : {0s, -1s, Seconds::min(), Seconds::max()})
        EXPECT_EQ(time_limit_margin({k_gigabyte, {}, {}}, {}, allowance), 48s) << allowance.count();
}

TEST(TimeLimitMargin, IsFiniteForAnyInput) {
    constexpr double k_slowest = std::numeric_limits<double>::denorm_min();
    EXPECT_EQ(time_limit_margin({k_most_bytes, {}, {}}, {}, 0s), k_year);
    EXPECT_EQ(time_limit_margin({k_most_bytes, {}, {}}, {}, Seconds::max()), k_year);
    EXPECT_EQ(time_limit_margin({k_most_bytes, {k_slowest, 0}, {k_slowest, 0}}, {}, 2h), 1h);
    PolicyTimeLimit policy;
    policy.reserve = Seconds::max();
    EXPECT_EQ(time_limit_margin({0, {}, {}}, policy, 2h), 1h);
    policy.reserve = Seconds::min();
    EXPECT_EQ(time_limit_margin({0, {}, {}}, policy, 2h), 1s);
    for (const double safety : {k_nan, k_infinity}) {
        policy = {};
        policy.safety = safety;
        EXPECT_EQ(time_limit_margin({0, {}, {}}, policy, 2h), 1h) << safety << ": too early, not too late";
    }
}

TEST(TimeLimitMargin, PrefersWhatWasMeasuredOnTheJob) {
    using From = Predicted::From;
    const LimitMargin own = limit_margin({k_gigabyte, {1e9, 1e8}, {0, 1e8}}, {}, 1h);
    EXPECT_EQ(own.dump.from, From::job);
    EXPECT_EQ(own.dump.seconds, 1);
    EXPECT_EQ(own.commit.from, From::node);
    EXPECT_EQ(own.commit.seconds, 10);
    EXPECT_EQ(own.wanted, 27s);
    const LimitMargin first = limit_margin({k_gigabyte, {k_infinity, k_nan}, {}}, {}, 1min);
    EXPECT_EQ(first.dump.from, From::assumed);
    EXPECT_EQ(first.dump.bytes_per_s, k_unmeasured_dump_bytes_per_s);
    EXPECT_EQ(first.commit.seconds, 20);
    EXPECT_EQ(first.wanted, 48s);
    EXPECT_EQ(first.margin, 30s);
}

TEST(ShortLimit, IsSaidWhenHalfOfItIsTooLittle) {
    EXPECT_FALSE(short_limit(1min, 0, {}));
    EXPECT_FALSE(short_limit(96s, k_gigabyte, {}));
    EXPECT_FALSE(short_limit(0s, k_gigabyte, {})) << "not known";
    EXPECT_EQ(one_line(short_limit(1min, k_gigabyte, {}).value()),
              "the last checkpoint begins at half the time limit of 1m, 30s before its end, and may need 48s "
              "with this --mem; raise it: --time=2 [CKPT-106]");
    PolicyTimeLimit policy;
    policy.reserve = 31s;
    EXPECT_EQ(one_line(short_limit(1min, 0, policy).value()),
              "the last checkpoint begins at half the time limit of 1m, 30s before its end, and may need 31s "
              "(time_limit.reserve); raise it: --time=2 [CKPT-106]");
    EXPECT_FALSE(short_limit(2min, 0, policy)) << "the advice helps";
    EXPECT_TRUE(short_limit(k_year, k_most_bytes, {}));
    EXPECT_FALSE(short_limit(5min, PolicyApp{}, {}));
    EXPECT_EQ(
        one_line(short_limit(4min, PolicyApp{}, {}).value()),
        "the program is asked to save itself at half the time limit of 4m, 2m before its end, and may take "
        "2m (app.patience); raise it: --time=5 [CKPT-106]");
}

} // namespace
} // namespace ckpt
