// SPDX-License-Identifier: GPL-2.0-or-later
// The node's directory for images. Every directory on the way to it must be root's.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "daemon/local_tier.hpp"

namespace ckpt {
namespace {

constexpr const char* k_job = "7-01234567-inc0";
constexpr std::uint64_t k_large = 8 << 20;

class Tier : public ::testing::Test {
protected:
    void SetUp() override {
        std::string path = "/run/ckpt-tier-XXXXXX";
        ASSERT_NE(::mkdtemp(path.data()), nullptr);
        m_path = path;
        reopen({});
    }
    void TearDown() override { std::filesystem::remove_all(m_path); }

    void reopen(const std::set<std::string>& kept) {
        auto tier = LocalTier::prepare(m_path, kept, Identity{});
        ASSERT_TRUE(tier) << one_line(tier.error());
        m_tier.emplace(std::move(*tier));
    }
    // What the daemon's worker does.
    void empty_trash() {
        const auto paths = m_tier->trash().collect(100);
        for (const std::string& path : paths)
            std::filesystem::remove_all(path);
        m_tier->trash().forget(paths);
    }
    void dump(const std::string& name) {
        const auto made = m_tier->make(k_job, name);
        ASSERT_TRUE(made) << one_line(made.error());
        std::ofstream(m_path + "/" + k_job + "/" + name + "/pages-1.img") << std::string(k_large, 'x');
    }
    [[nodiscard]] bool exists(const std::string& name) const {
        return std::filesystem::exists(m_path + "/" + name);
    }
    [[nodiscard]] std::size_t files() const {
        std::size_t count = 0;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(m_path))
            if (entry.is_regular_file()) ++count;
        return count;
    }

    std::string m_path;
    std::optional<LocalTier> m_tier;
};

TEST_F(Tier, WhatIsRemovedIsGoneAtOnceAndItsRoomCountsAsFree) {
    dump("gen-1-part-0-0");
    m_tier->remove(k_job, "gen-1-part-0-0");
    EXPECT_FALSE(m_tier->open(k_job, "gen-1-part-0-0"));
    EXPECT_GE(m_tier->trash().bytes(), k_large) << "space() counts it";
    empty_trash();
    EXPECT_EQ(files(), 0U);
    EXPECT_EQ(m_tier->trash().bytes(), 0U);
}

TEST_F(Tier, WhatIsInTheTrashIsHandedOutOnce) {
    dump("gen-1-part-0-0");
    dump("gen-2-part-0-0");
    m_tier->remove(k_job, "gen-1-part-0-0");
    m_tier->remove(k_job, "gen-2-part-0-0");
    EXPECT_EQ(m_tier->trash().collect(1).size(), 1U);
    EXPECT_EQ(m_tier->trash().collect(100).size(), 1U);
    EXPECT_TRUE(m_tier->trash().collect(100).empty());
}

TEST_F(Tier, WhatCannotBeRemovedIsTriedAgainNotForEver) {
    dump("gen-1-part-0-0");
    m_tier->remove(k_job, "gen-1-part-0-0");
    for (unsigned i = 1; i < Trash::k_attempts; ++i) {
        const auto paths = m_tier->trash().collect(100);
        ASSERT_EQ(paths.size(), 1U);
        EXPECT_TRUE(m_tier->trash().retry(paths));
        EXPECT_GE(m_tier->trash().bytes(), k_large);
    }
    EXPECT_FALSE(m_tier->trash().retry(m_tier->trash().collect(100)));
    EXPECT_TRUE(m_tier->trash().collect(100).empty());
    EXPECT_EQ(m_tier->trash().bytes(), 0U) << "it counts as room, and is none";
}

TEST_F(Tier, AnotherDaemonRemovesWhatThisOneHasNot) {
    dump("gen-1-part-0-0");
    dump("gen-2-part-0-0");
    m_tier->remove(k_job, "gen-1-part-0-0");
    reopen({k_job});
    EXPECT_TRUE(m_tier->open(k_job, "gen-2-part-0-0")) << "of a job that still runs";
    m_tier->remove(k_job, "gen-2-part-0-0");
    EXPECT_EQ(m_tier->trash().collect(100).size(), 2U) << "one took the other's place";
    reopen({});
    empty_trash();
    EXPECT_EQ(files(), 0U);
    EXPECT_FALSE(exists(k_job));
}

TEST_F(Tier, ACopyOutlivesItsJobAndIsUsedUp) {
    dump("gen-1-part-0-0");
    ASSERT_TRUE(m_tier->keep_copy(k_job, "gen-1-part-0-0", "copy"));
    m_tier->remove_job(k_job);
    empty_trash();
    EXPECT_FALSE(exists(k_job));
    ASSERT_TRUE(m_tier->use_copy("copy", k_job, "restore-0-0"));
    EXPECT_TRUE(exists(std::string(k_job) + "/restore-0-0/pages-1.img"));
    EXPECT_FALSE(m_tier->use_copy("copy", k_job, "restore-0-0"));
}

TEST_F(Tier, TailsStayWhenTheJobGoes) {
    const auto tails = m_tier->tails(k_job);
    ASSERT_TRUE(tails);
    const Fd tail(::openat(tails->get(), "1", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    dump("gen-1-part-0-0");
    m_tier->remove_job(k_job);
    reopen({});
    empty_trash();
    EXPECT_TRUE(exists(std::string(k_job) + "/tails/1"));
}

} // namespace
} // namespace ckpt
