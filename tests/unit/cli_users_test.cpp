// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include "cli/restart.hpp"
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

TEST(CliRestart, AJobAndPerhapsAGeneration) {
    EXPECT_EQ(restart_from("4711").value().job_id, 4711U);
    EXPECT_EQ(restart_from("4711").value().generation, 0U);
    EXPECT_EQ(restart_from("4711@3").value().generation, 3U);
    for (const char* text : {"", "auto", "never", "4711@", "8_2", "job"})
        EXPECT_FALSE(restart_from(text)) << text;
}

} // namespace
} // namespace ckpt::cli
