// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>

#include <gtest/gtest.h>

#include "policy/spread.hpp"

namespace ckpt {
namespace {

using namespace std::chrono_literals;

TEST(PolicySpread, AnArrayIsSpreadEvenly) {
    std::array<int, 10> jobs{};
    for (std::uint32_t job = 100'000; job < 110'000; ++job) {
        const Seconds place = place_in(99s, job);
        ASSERT_GE(place, 0s);
        ASSERT_LE(place, 99s);
        ++jobs.at(static_cast<std::size_t>(place.count() / 10));
    }
    for (const int count : jobs)
        EXPECT_NEAR(count, 1000, 150);
}

TEST(PolicySpread, AJobKeepsItsPlace) {
    EXPECT_EQ(place_in(600s, 42), place_in(600s, 42));
}

TEST(PolicySpread, NoSpreadIsNoDelay) {
    EXPECT_EQ(place_in(0s, 42), 0s);
    EXPECT_EQ(place_in(-1s, 42), 0s);
}

} // namespace
} // namespace ckpt
