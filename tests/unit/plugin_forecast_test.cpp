// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugin/forecast.hpp"

namespace ckpt {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t k_gib = std::uint64_t{1} << 30U;

TEST(Forecast, TheMemoryIsWhatSbatchWasAskedFor) {
    EXPECT_EQ(memory_asked_for({"4096", "", "", ""}), 4 * k_gib);
    EXPECT_EQ(memory_asked_for({"4G", "1G", "2", "3"}), 4 * k_gib);
    EXPECT_EQ(memory_asked_for({"", "1G", "2", "3"}), 6 * k_gib);
    EXPECT_EQ(memory_asked_for({"", "1G", "unset", "1"}), k_gib);
    EXPECT_EQ(memory_asked_for({"unset", "1G", "2", "1"}), 2 * k_gib);
    EXPECT_EQ(memory_asked_for({}), 0U);
    EXPECT_EQ(memory_asked_for({"0", "", "", ""}), 0U);
}

TEST(Forecast, NothingIsSaidWhereThereIsRoom) {
    PolicyRetention policy;
    policy.min_free = 0;
    EXPECT_FALSE(short_store(2, 4 * k_gib, "/shared", RoomThere{8 * k_gib, 100 * k_gib}, policy));
    EXPECT_FALSE(short_store(2, 4 * k_gib, "/shared", std::nullopt, policy));
    EXPECT_FALSE(short_store(2, 0, "/shared", RoomThere{0, k_gib}, policy));
}

TEST(Forecast, TheFiguresAreSaid) {
    PolicyRetention policy;
    policy.min_free = 0.02;
    const auto full = short_store(2, 4 * k_gib, "/shared/alice", RoomThere{9 * k_gib, 100 * k_gib}, policy);
    ASSERT_TRUE(full);
    EXPECT_EQ(full->code, Code::store_short);
    EXPECT_EQ(
        full->what,
        "the checkpoints of this job may need about 8.0 GiB (2 of up to 4.0 GiB), of the 7.0 GiB that are "
        "free at /shared/alice");
    policy.user_limit = 5 * k_gib;
    const auto limited = short_store(2, 4 * k_gib, "/shared/alice", std::nullopt, policy);
    ASSERT_TRUE(limited);
    EXPECT_THAT(limited->what, HasSubstr("of the 5.0 GiB that you may have in /shared/alice"));
}

TEST(Forecast, TheNearestDirectoryThatIsThereTells) {
    const auto room = room_at("/tmp/no-such-directory/of/anybody", std::chrono::seconds(10));
    ASSERT_TRUE(room);
    EXPECT_GT(room->total, 0U);
    EXPECT_FALSE(room_at("", std::chrono::seconds(10)));
}

} // namespace
} // namespace ckpt
