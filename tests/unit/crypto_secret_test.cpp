// SPDX-License-Identifier: GPL-2.0-or-later
#include "crypto/secret.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace ckpt {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

Secret filled(unsigned char byte) {
    Secret secret;
    std::ranges::fill(secret.writable(), byte);
    return secret;
}

// VmFlags of the mapping that `address` is in (proc(5), smaps).
std::string flags_at(const void* address) {
    std::ifstream maps("/proc/self/smaps");
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    bool inside = false;
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t from = 0;
        std::uintptr_t to = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2)
            inside = from <= wanted && wanted < to;
        else if (inside && line.starts_with("VmFlags:"))
            return line + " ";
    }
    return {};
}

TEST(SecretTest, IsInMemoryThatIsNeitherSwappedNorDumped) {
    const Secret secret;
    EXPECT_THAT(flags_at(secret.bytes().data()), HasSubstr(" lo "));
    EXPECT_THAT(flags_at(secret.bytes().data()), HasSubstr(" dd "));
}

TEST(SecretTest, BeginsWithZeros) {
    const Secret secret;
    EXPECT_THAT(secret.bytes(), Each(0));
}

TEST(SecretTest, MovingLeavesZeros) {
    Secret from = filled(7);
    Secret to = std::move(from);
    EXPECT_THAT(to.bytes(), Each(7));
    EXPECT_THAT(from.bytes(), Each(0)); // NOLINT(bugprone-use-after-move): what it says
    Secret other = filled(9);
    other = std::move(to);
    EXPECT_THAT(other.bytes(), Each(7));
    EXPECT_THAT(to.bytes(), Each(0)); // NOLINT(bugprone-use-after-move)
}

// What a freed block held is not in the next one, nor anywhere in the memory that was locked.
TEST(SecretTest, IsWipedWhenItGoes) {
    const unsigned char* place = nullptr;
    {
        const Secret secret = filled(0xa5);
        place = secret.bytes().data();
    }
    const Secret next;
    ASSERT_EQ(next.bytes().data(), place) << "the block is used again";
    EXPECT_THAT(next.bytes(), Each(0));
}

TEST(SecretTest, MoreOfThemThanFitIntoLockedMemory) {
    std::vector<Secret> many(5000);
    for (Secret& secret : many)
        std::ranges::fill(secret.writable(), 1);
    for (const Secret& secret : many)
        ASSERT_THAT(secret.bytes(), Each(1));
}

} // namespace
} // namespace ckpt
