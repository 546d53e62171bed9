// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include "daemon/connection_limit.hpp"

namespace ckpt {
namespace {

constexpr std::size_t k_descriptors = 65536; // packaging/systemd/ckptd.service.in

// As many as that user gets.
std::size_t fill(ConnectionLimit& limit, uid_t uid, bool is_awaited = false) {
    std::size_t got = 0;
    for (; limit.may_come(uid, is_awaited); ++got)
        limit.came(uid);
    return got;
}

TEST(ConnectionLimit, AUserHasNoMoreThanTheirs) {
    ConnectionLimit limit(k_descriptors);
    EXPECT_EQ(fill(limit, 1000), ConnectionLimit::k_each);
    EXPECT_TRUE(limit.may_come(1001, false));
    limit.gone(1000);
    EXPECT_EQ(fill(limit, 1000), 1U);
}

TEST(ConnectionLimit, ManyUsersKeepNobodyElseOut) {
    ConnectionLimit limit(k_descriptors);
    std::size_t all = 0;
    for (uid_t uid = 1000; uid < 1100; ++uid)
        all += fill(limit, uid);
    EXPECT_LT(all * 2, k_descriptors / 2);
    EXPECT_TRUE(limit.may_come(2000, false)) << "has none";
    for (uid_t uid = 3000; uid < 9000; ++uid)
        all += fill(limit, uid);
    EXPECT_FALSE(limit.may_come(2000, false));
    EXPECT_TRUE(limit.may_come(2000, true)) << "its shim";
    for (uid_t uid = 1000; uid < 9000; ++uid)
        all += fill(limit, uid, true);
    EXPECT_LE(all * 2, k_descriptors * 3 / 4);
    EXPECT_TRUE(limit.may_come(0, false)) << "slurmstepd";
}

TEST(ConnectionLimit, RootsAreNotCounted) {
    ConnectionLimit limit(80);
    for (int i = 0; i < 1000; ++i)
        limit.came(0);
    EXPECT_EQ(fill(limit, 1000), ConnectionLimit::k_few) << "two eighths are 20, one is 10";
    limit.gone(0);
    EXPECT_FALSE(limit.may_come(1000, false));
    for (std::size_t i = 0; i < ConnectionLimit::k_few; ++i)
        limit.gone(1000);
    EXPECT_EQ(fill(limit, 1001), ConnectionLimit::k_few);
}

} // namespace
} // namespace ckpt
