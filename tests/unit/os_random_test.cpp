// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>

#include <set>

#include "os/random.hpp"

namespace ckpt {
namespace {

TEST(Uuid, IsHexAndAlwaysAnother) {
    std::set<std::string> seen;
    for (int i = 0; i < 100; ++i) {
        const auto uuid = make_uuid();
        ASSERT_TRUE(uuid);
        EXPECT_THAT(*uuid, testing::MatchesRegex("[0-9a-f]{32}"));
        EXPECT_TRUE(is_uuid(*uuid));
        seen.insert(*uuid);
    }
    EXPECT_EQ(seen.size(), 100U);
}

TEST(Uuid, NothingElsePassesForOne) {
    const std::string good = "0123456789abcdef0123456789abcdef";
    EXPECT_TRUE(is_uuid(good));
    EXPECT_FALSE(is_uuid(""));
    EXPECT_FALSE(is_uuid(good.substr(1)));
    EXPECT_FALSE(is_uuid(good + "0"));
    for (const char* last : {"g", "F", "/", ".", "-", " ", "\n", "\x80"})
        EXPECT_FALSE(is_uuid(good.substr(1) + last)) << last;
    EXPECT_FALSE(is_uuid(good.substr(1) + '\0'));
}

} // namespace
} // namespace ckpt
