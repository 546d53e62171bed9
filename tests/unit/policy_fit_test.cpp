// SPDX-License-Identifier: GPL-2.0-or-later
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/fit.hpp"

namespace ckpt {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr std::uint64_t k_gib = 1ULL << 30;

TEST(PolicyFit, WhatHasRoomIsTried) {
    EXPECT_TRUE(dump_fits({k_gib, 1e9}, {20s, k_gib}));
}

TEST(PolicyFit, WhatTakesTooLongIsNot) {
    const Status status = dump_fits({40 * k_gib, 1e9}, {20s, 100 * k_gib});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::dump_unfit);
    EXPECT_THAT(status.error().what, HasSubstr("40960 MiB takes some 43 s here, and 20s are left"));
}

TEST(PolicyFit, WhatHasNoSpaceIsNot) {
    const Status status = dump_fits({k_gib, 0}, {20s, k_gib - 1});
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().what, HasSubstr("space of 1024 MiB"));
}

TEST(PolicyFit, WhatIsNotKnownDoesNotStandAgainstIt) {
    EXPECT_TRUE(dump_fits({400 * k_gib, 0}, {1s, 400 * k_gib}));
    EXPECT_TRUE(dump_fits({400 * k_gib, std::numeric_limits<double>::infinity()}, {1s, 400 * k_gib}));
    EXPECT_TRUE(dump_fits({400 * k_gib, std::numeric_limits<double>::quiet_NaN()}, {1s, 400 * k_gib}));
    EXPECT_TRUE(dump_fits({0, 1e9}, {0s, 0}));
}

} // namespace
} // namespace ckpt
