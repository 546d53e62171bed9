// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include "daemon/listings.hpp"

namespace ckpt {
namespace {

TEST(Listings, WhoHasNoneGetsOneHoweverManyOthersThereAre) {
    Listings listings;
    for (uid_t uid = 1000; uid < 1004; ++uid)
        for (std::size_t i = 0; i < Listings::k_each; ++i) {
            EXPECT_TRUE(listings.may_begin(uid));
            listings.begin(uid);
        }
    EXPECT_FALSE(listings.may_begin(1000)) << "as many as one may have";
    EXPECT_TRUE(listings.may_begin(2000));
    listings.begin(2000);
    EXPECT_FALSE(listings.may_begin(2000)) << "a second one, when there are so many";
    listings.end(1000);
    listings.end(1001);
    EXPECT_TRUE(listings.may_begin(2000)) << "there are few again";
    EXPECT_TRUE(listings.may_begin(1000));
}

TEST(Listings, RootsDoNotCount) {
    Listings listings;
    for (int i = 0; i < 1000; ++i) {
        EXPECT_TRUE(listings.may_begin(0));
        listings.begin(0);
    }
    EXPECT_TRUE(listings.may_begin(1000));
    for (uid_t uid = 1000; uid < 1000 + Listings::k_all; ++uid)
        listings.begin(uid);
    EXPECT_FALSE(listings.may_begin(999));
    EXPECT_TRUE(listings.may_begin(0));
    listings.end(0);
    EXPECT_FALSE(listings.may_begin(999)) << "it was none of those";
}

} // namespace
} // namespace ckpt
