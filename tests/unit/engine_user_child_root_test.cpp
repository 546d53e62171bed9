// SPDX-License-Identifier: GPL-2.0-or-later
// What a child that works on the user's files may cost.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <string>

#include "engine/user_child.hpp"

namespace ckpt {
namespace {

constexpr auto k_limit = std::chrono::seconds(60);
const JobUser k_nobody{{65534, 65534, {}}};

TEST(UserChild, NobodyLooksIntoIt) {
    const auto dumpable =
        as_user(k_nobody, -1, k_limit, [] { return std::to_string(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)); });
    ASSERT_TRUE(dumpable);
    EXPECT_EQ(*dumpable, "0");
}

#ifndef CKPT_SANITIZED
TEST(UserChild, TakesNoMoreMemoryThanItMay) {
    const auto memory = as_user(k_nobody, -1, k_limit, [] {
        rlimit limit{};
        ::getrlimit(RLIMIT_AS, &limit);
        return std::to_string(limit.rlim_max);
    });
    ASSERT_TRUE(memory);
    EXPECT_EQ(*memory, std::to_string(std::uint64_t{2} << 30U));
}
#endif

TEST(UserChild, SaysNoMoreThanItMay) {
    const auto text = [](std::size_t size) {
        return as_user(k_nobody, -1, k_limit, [&] { return std::string(size, 'x'); });
    };
    EXPECT_EQ(text(std::size_t{1} << 20U).value_or("").size(), std::size_t{1} << 20U);
    const auto most = text(std::size_t{65} << 20U);
    ASSERT_FALSE(most);
    EXPECT_EQ(most.error().what, "the child that looks at the user's files says too much");
}

} // namespace
} // namespace ckpt
