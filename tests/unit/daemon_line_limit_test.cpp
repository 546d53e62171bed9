// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include "daemon/line_limit.hpp"

namespace ckpt {
namespace {

TEST(LineLimit, AUsersLinesAreCountedAndNobodyElsesAreLost) {
    LineLimit lines;
    for (unsigned i = 0; i < LineLimit::k_lines; ++i)
        EXPECT_TRUE(lines.ask(1000, 100).may);
    for (int i = 0; i < 1000; ++i)
        EXPECT_FALSE(lines.ask(1000, 159).may);
    EXPECT_TRUE(lines.ask(1001, 159).may);
    const auto next = lines.ask(1000, 160);
    EXPECT_TRUE(next.may);
    EXPECT_EQ(next.left_out, 1000U);
    EXPECT_EQ(lines.ask(1000, 220).left_out, 0U) << "told once";
}

TEST(LineLimit, AClockThatIsPutBackSilencesNobody) {
    LineLimit lines;
    for (unsigned i = 0; i <= LineLimit::k_lines; ++i)
        (void)lines.ask(1000, 1'000'000);
    EXPECT_TRUE(lines.ask(1000, 5).may);
}

} // namespace
} // namespace ckpt
