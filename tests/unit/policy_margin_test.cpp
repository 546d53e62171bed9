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

TEST(TimeLimitMargin, TakesLowRatesUntilSomeAreMeasured) {
    EXPECT_EQ(time_limit_margin({k_gigabyte, 0, 0}, {}, 1h), 48s) << "1.5 * (5 s + 20 s) + 10 s";
    EXPECT_EQ(time_limit_margin({k_gigabyte, 1e9, 0}, {}, 1h), 42s) << "1.5 * (1 s + 20 s) + 10 s";
    EXPECT_EQ(time_limit_margin({k_gigabyte, 0, 1e8}, {}, 1h), 33s) << "1.5 * (5 s + 10 s) + 10 s";
    EXPECT_EQ(time_limit_margin({k_gigabyte, 1e9, 1e8}, {}, 1h), 27s) << "1.5 * (1 s + 10 s) + 10 s";
    for (const double rate : {-1e9, k_nan, k_infinity, -k_infinity})
        EXPECT_EQ(time_limit_margin({k_gigabyte, rate, rate}, {}, 1h), 48s) << rate;
}

TEST(TimeLimitMargin, FollowsThePolicy) {
    PolicyTimeLimit policy;
    policy.safety = 2;
    policy.reserve = 1min;
    EXPECT_EQ(time_limit_margin({k_gigabyte, 1e9, 1e8}, policy, 1h), 82s);
    policy.safety = 1;
    EXPECT_EQ(time_limit_margin({k_gigabyte, 1e9, 1e8}, policy, 1h), 71s);
}

TEST(TimeLimitMargin, IsRoundedUp) {
    EXPECT_EQ(time_limit_margin({0, 0, 0}, {}, 1h), 10s) << "the reserve alone";
    EXPECT_EQ(time_limit_margin({1, 0, 0}, {}, 1h), 11s);
    PolicyTimeLimit policy;
    policy.reserve = 0s;
    EXPECT_EQ(time_limit_margin({0, 0, 0}, policy, 1h), 1s);
}

TEST(TimeLimitMargin, LeavesHalfTheAllowance) {
    EXPECT_EQ(time_limit_margin({k_gigabyte, 0, 0}, {}, 96s), 48s);
    EXPECT_EQ(time_limit_margin({k_gigabyte, 0, 0}, {}, 95s), 47s);
    EXPECT_EQ(time_limit_margin({k_gigabyte, 0, 0}, {}, 1min), 30s);
    for (const Seconds allowance : {3s, 2s, 1s})
        EXPECT_EQ(time_limit_margin({k_gigabyte, 0, 0}, {}, allowance), 1s) << allowance.count();
}

TEST(TimeLimitMargin, UnknownAllowanceDoesNotCap) {
    for (const Seconds allowance : {0s, -1s, Seconds::min(), Seconds::max()})
        EXPECT_EQ(time_limit_margin({k_gigabyte, 0, 0}, {}, allowance), 48s) << allowance.count();
}

TEST(TimeLimitMargin, IsFiniteForAnyInput) {
    constexpr double k_slowest = std::numeric_limits<double>::denorm_min();
    EXPECT_EQ(time_limit_margin({k_most_bytes, 0, 0}, {}, 0s), k_year);
    EXPECT_EQ(time_limit_margin({k_most_bytes, 0, 0}, {}, Seconds::max()), k_year);
    EXPECT_EQ(time_limit_margin({k_most_bytes, k_slowest, k_slowest}, {}, 2h), 1h);
    PolicyTimeLimit policy;
    policy.reserve = Seconds::max();
    EXPECT_EQ(time_limit_margin({0, 0, 0}, policy, 2h), 1h);
    policy.reserve = Seconds::min();
    EXPECT_EQ(time_limit_margin({0, 0, 0}, policy, 2h), 1s);
    for (const double safety : {k_nan, k_infinity}) {
        policy = {};
        policy.safety = safety;
        EXPECT_EQ(time_limit_margin({0, 0, 0}, policy, 2h), 1h) << safety << ": too early, not too late";
    }
}

} // namespace
} // namespace ckpt
