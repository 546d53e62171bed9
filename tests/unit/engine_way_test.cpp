// SPDX-License-Identifier: GPL-2.0-or-later
// The way to a file of the user's: which links and directories on it are trusted.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/way.hpp"

namespace ckpt {

namespace {

namespace fs = std::filesystem;

constexpr uid_t k_alice = 1000;

bool may_rename(uid_t owner, mode_t mode) {
    struct stat st{};
    st.st_uid = owner;
    st.st_mode = S_IFDIR | mode;
    return others_may_rename_in(st, k_alice);
}

TEST(OthersMayRenameIn, ByOwnerAndMode) {
    EXPECT_FALSE(may_rename(0, 0755));
    EXPECT_FALSE(may_rename(k_alice, 0755));
    EXPECT_FALSE(may_rename(0, 01777)) << "as in /tmp, to everybody their own";
    EXPECT_TRUE(may_rename(k_alice + 1, 0755));
    EXPECT_TRUE(may_rename(0, 0777));
    EXPECT_TRUE(may_rename(k_alice, 0775));
}

class Way : public ::testing::Test {
protected:
    void SetUp() override {
        std::string name = ::testing::TempDir() + "ckpt-way-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        m_top = fs::canonical(name);
        fs::create_directories(m_top + "/a/b");
        std::ofstream(m_top + "/a/b/file") << "text";
    }
    void TearDown() override { fs::remove_all(m_top); }

    static std::uint64_t inode_of(const std::string& path) {
        struct stat st{};
        return ::stat(path.c_str(), &st) == 0 ? st.st_ino : 0;
    }

    void swap_b() const {
        fs::rename(m_top + "/a/b", m_top + "/a/was-b");
        fs::create_directory(m_top + "/a/b");
    }

    std::string m_top;
};

TEST_F(Way, LeadsThroughLinksOfTheUsersOwn) {
    fs::create_symlink("a/../a", m_top + "/relative");
    fs::create_symlink(m_top + "/relative/b", m_top + "/absolute");
    const auto dir = open_way_to(m_top + "/absolute", 0);
    ASSERT_TRUE(dir) << one_line(dir.error());
    struct stat st{};
    ASSERT_EQ(::fstat(dir->get(), &st), 0);
    EXPECT_EQ(st.st_ino, inode_of(m_top + "/a/b"));
    fs::create_symlink(m_top + "/absolute/file", m_top + "/link");
    EXPECT_TRUE(open_on_way(m_top + "/link", O_RDONLY));
    EXPECT_TRUE(open_on_way(m_top + "//a/./b/file", O_RDONLY));
}

TEST_F(Way, EndsWhereNothingIs) {
    EXPECT_EQ(open_way_to(m_top + "/none/b", 0).error().code, Code::not_found);
    EXPECT_EQ(open_on_way(m_top + "/a/none", O_RDONLY).error().code, Code::not_found);
    EXPECT_EQ(open_way_to(m_top + "/a/b/file", 0).error().errnum, ENOTDIR);
    fs::create_symlink("loop", m_top + "/loop");
    EXPECT_EQ(open_on_way(m_top + "/loop", O_RDONLY).error().errnum, ELOOP);
    EXPECT_EQ(open_way_to(m_top + "/loop/b", 0).error().errnum, ELOOP);
}

TEST_F(Way, AnotherDirectoryIsTheUsersOwnAffair) {
    const std::uint64_t was = inode_of(m_top + "/a/b");
    swap_b();
    EXPECT_TRUE(open_way_to(m_top + "/a/b", was));
}

TEST_F(Way, AnotherDirectoryIsRefusedWhereOthersCouldHaveMadeIt) {
    ASSERT_EQ(::chmod((m_top + "/a").c_str(), 0777), 0);
    const std::uint64_t was = inode_of(m_top + "/a/b");
    EXPECT_TRUE(open_way_to(m_top + "/a/b", was));
    swap_b();
    EXPECT_EQ(open_way_to(m_top + "/a/b", was).error().code, Code::not_permitted);
    EXPECT_TRUE(open_way_to(m_top + "/a/b", 0)) << "nothing is known of it";
}

TEST_F(Way, ABirthIsTheSameUnderEveryName) {
    fs::create_hard_link(m_top + "/a/b/file", m_top + "/other");
    const auto file = open_on_way(m_top + "/a/b/file", O_RDONLY);
    ASSERT_TRUE(file);
    EXPECT_EQ(birth_ns(file->get(), ""), birth_ns(AT_FDCWD, m_top + "/other"));
    EXPECT_EQ(birth_ns(AT_FDCWD, m_top + "/none"), 0);
    EXPECT_TRUE(may_be_born_alike(0, 5));
    EXPECT_FALSE(may_be_born_alike(4, 5));
}

} // namespace

} // namespace ckpt
