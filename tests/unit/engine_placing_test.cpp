// SPDX-License-Identifier: GPL-2.0-or-later
// The mode of what a restore makes, where others may exchange names.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "engine/placing.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;
using Kind = LocalFile::Kind;

class PlacingMode : public ::testing::Test {
protected:
    void SetUp() override {
        std::string name = ::testing::TempDir() + "ckpt-placing-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        m_root = fs::canonical(name);
    }
    void TearDown() override { fs::remove_all(m_root); }

    [[nodiscard]] LocalFile file(Kind kind, mode_t mode) const {
        LocalFile one;
        one.kind = kind;
        one.root = m_root;
        one.path = "it";
        one.mode = mode;
        return one;
    }

    [[nodiscard]] mode_t mode_of(const std::string& name) const {
        struct stat st{};
        EXPECT_EQ(::lstat((m_root + "/" + name).c_str(), &st), 0);
        return st.st_mode & 07777U;
    }

    std::string m_root;
};

TEST_F(PlacingMode, IsAsAtTheCheckpoint) {
    ASSERT_TRUE(make_new(file(Kind::fifo, 0622), -1));
    EXPECT_EQ(mode_of("it"), 0622U) << "whatever the umask is";
    unmake_new(file(Kind::fifo, 0622));
    const LocalFile closed = file(Kind::directory, 0311);
    ASSERT_TRUE(make_new(closed, -1));
    EXPECT_EQ(mode_of("it"), 0700U);
    ASSERT_TRUE(finish_directory(closed));
    EXPECT_EQ(mode_of("it"), 0311U);
    open_up(closed);
    EXPECT_EQ(mode_of("it"), 0700U) << "although it could not be read";
}

TEST_F(PlacingMode, FollowsNoLink) {
    fs::create_directory(m_root + "/secret");
    fs::permissions(m_root + "/secret", fs::perms(0700));
    fs::create_directory_symlink(m_root + "/secret", m_root + "/it");
    EXPECT_FALSE(finish_directory(file(Kind::directory, 0777)));
    open_up(file(Kind::directory, 0777));
    EXPECT_EQ(mode_of("secret"), 0700U);
    fs::permissions(m_root + "/secret", fs::perms(0100));
    EXPECT_FALSE(finish_directory(file(Kind::directory, 0777)));
    EXPECT_EQ(mode_of("secret"), 0100U);
    fs::permissions(m_root + "/secret", fs::perms(0700)); // so that it can be removed
}

} // namespace
} // namespace ckpt
