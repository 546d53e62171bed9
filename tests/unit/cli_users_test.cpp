// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include "cli/users.hpp"

namespace ckpt::cli {
namespace {

TEST(CliUsers, TheUsersAreFoundWhereTheBaseHasTheirNames) {
    const UserPattern plain = user_pattern("/shared/checkpoints");
    EXPECT_EQ(plain.above, "/shared/checkpoints");
    EXPECT_EQ(user_in(plain, "alice"), "alice");
    const UserPattern scratch = user_pattern("/scratch/%u/.checkpoints");
    EXPECT_EQ(scratch.above, "/scratch");
    EXPECT_EQ(user_in(scratch, "alice"), "alice");
    const UserPattern marked = user_pattern("/a%%b/u-%u.d/x");
    EXPECT_EQ(marked.above, "/a%b");
    EXPECT_EQ(user_in(marked, "u-alice.d"), "alice");
    EXPECT_EQ(user_in(marked, "alice.d"), "");
    EXPECT_EQ(user_in(marked, "u-.d"), "");
    EXPECT_EQ(user_pattern("/%u").above, "/");
}

} // namespace
} // namespace ckpt::cli
