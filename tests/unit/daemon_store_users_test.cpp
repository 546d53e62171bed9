// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "daemon/store_users.hpp"

namespace ckpt {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::vector<std::string> bases_of(const StoreUsers& users, uid_t uid) {
    std::vector<std::string> all;
    for (const auto& store : users.of(uid))
        all.push_back(store.base);
    return all;
}

TEST(StoreUsers, AreForgottenWhenNoJobHasBeenThereSince) {
    StoreUsers users;
    users.remember(1, "a", "/s/a", 10);
    users.remember(1, "a", "/d", 20);
    users.remember(2, "b", "/s/b", 10);
    EXPECT_THAT(users.users(), ElementsAre(1U, 2U));
    EXPECT_EQ(users.of(2).at(0).user, "b");
    users.forget(15);
    EXPECT_THAT(users.users(), ElementsAre(1U));
    EXPECT_THAT(bases_of(users, 1), ElementsAre("/d"));
    EXPECT_THAT(users.of(2), IsEmpty());
}

TEST(StoreUsers, TheDirectoriesLastUsedStay) {
    StoreUsers users;
    users.remember(2, "b", "/s/b", 1);
    for (int i = 0; i < 100; ++i) {
        users.remember(1, "a", "/d" + std::to_string(i), 10 + i);
        users.remember(1, "a", "/s/a", 10 + i); // where each of their jobs is
    }
    EXPECT_THAT(bases_of(users, 1), SizeIs(StoreUsers::k_most));
    EXPECT_THAT(bases_of(users, 1), Contains("/s/a"));
    EXPECT_THAT(bases_of(users, 1), Contains("/d99"));
    EXPECT_THAT(bases_of(users, 1), Not(Contains("/d0")));
    EXPECT_THAT(bases_of(users, 2), ElementsAre("/s/b")) << "others cost nobody theirs";
}

} // namespace
} // namespace ckpt
