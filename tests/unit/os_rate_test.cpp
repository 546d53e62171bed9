// SPDX-License-Identifier: GPL-2.0-or-later
#include <random>

#include <gtest/gtest.h>

#include "os/rate.hpp"

namespace ckpt {
namespace {

using namespace std::chrono_literals;
using Instant = ByteRate::Instant;

constexpr Instant k_start{100s};

TEST(ByteRate, ASecondsWorthGoesAtOnceAndTheRestAtTheRate) {
    ByteRate rate(1000, k_start);
    EXPECT_EQ(rate.take(600, k_start), 0s);
    EXPECT_EQ(rate.take(400, k_start), 0s);
    EXPECT_EQ(rate.take(500, k_start), 500ms);
    EXPECT_EQ(rate.take(500, k_start + 500ms), 500ms);
    EXPECT_EQ(rate.take(250, k_start + 1s), 250ms);
}

TEST(ByteRate, IdleTimeCountsForOneSecondOnly) {
    ByteRate rate(1000, k_start);
    EXPECT_EQ(rate.take(1000, k_start + 1h), 0s);
    EXPECT_EQ(rate.take(1000, k_start + 1h), 1s);
    EXPECT_EQ(rate.take(1000, k_start + 10h), 0s);
    EXPECT_EQ(rate.take(1, k_start + 10h), 1ms);
}

TEST(ByteRate, WhatIsOwedIsWaitedFor) {
    ByteRate rate(1000, k_start);
    EXPECT_EQ(rate.take(10'000, k_start), 9s);
    EXPECT_EQ(rate.take(1000, k_start), 10s) << "who did not wait does not get away with it";
    EXPECT_EQ(rate.take(0, k_start + 10s), 0s);
}

TEST(ByteRate, NoLimit) {
    ByteRate rate(0, k_start);
    EXPECT_EQ(rate.take(UINT64_MAX, k_start), 0s);
    EXPECT_EQ(rate.take(UINT64_MAX, k_start), 0s);
}

TEST(ByteRate, HoldsWhateverItIsAsked) {
    ByteRate rate(1, k_start);
    EXPECT_EQ(rate.take(UINT64_MAX, k_start), 24h);
    EXPECT_EQ(rate.take(UINT64_MAX, k_start - 1h), 24h) << "a clock that goes back gives nothing";
    ByteRate fast(UINT64_MAX, k_start);
    EXPECT_EQ(fast.take(1 << 20, k_start), 0s);
}

// Whoever waits as told writes no more than the rate and one second's worth in any time from the start.
TEST(ByteRate, NeverMoreThanTheRate) {
    for (const std::uint64_t bytes_per_s : {1ULL << 20, 300ULL << 20, 12'345'678'901ULL}) {
        std::mt19937_64 random(bytes_per_s);
        ByteRate rate(bytes_per_s, k_start);
        Instant now = k_start;
        double written = 0;
        for (int i = 0; i < 2000; ++i) {
            const std::uint64_t bytes = random() % (4U << 20);
            now += rate.take(bytes, now);
            written += static_cast<double>(bytes);
            const std::chrono::duration<double> passed = now - k_start;
            ASSERT_LE(written, static_cast<double>(bytes_per_s) * (passed.count() + 1) * (1 + 1e-9));
            if (random() % 8 == 0) now += std::chrono::milliseconds(random() % 50);
        }
    }
}

} // namespace
} // namespace ckpt
