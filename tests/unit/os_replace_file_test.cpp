// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "os/files.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;

class ReplaceFile : public testing::Test {
protected:
    ReplaceFile() {
        std::string pattern = (fs::temp_directory_path() / "replace-XXXXXX").string();
        m_dir = ::mkdtemp(pattern.data());
    }
    ~ReplaceFile() override { fs::remove_all(m_dir); }
    ReplaceFile(const ReplaceFile&) = delete;
    ReplaceFile& operator=(const ReplaceFile&) = delete;
    ReplaceFile(ReplaceFile&&) = delete;
    ReplaceFile& operator=(ReplaceFile&&) = delete;

    static std::string text_of(const fs::path& path) {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    fs::path m_dir;
};

TEST_F(ReplaceFile, IsWholeWithTheModeAsked) {
    const fs::path path = m_dir / "a";
    std::ofstream(path) << "what was there before, and longer";
    const mode_t mask = ::umask(077);
    EXPECT_TRUE(replace_file(path, "text", 0644));
    ::umask(mask);
    EXPECT_EQ(text_of(path), "text");
    struct stat st{};
    ASSERT_EQ(::stat(path.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777U, 0644U);
    EXPECT_EQ(std::distance(fs::directory_iterator(m_dir), {}), 1) << "nothing else is left";
}

TEST_F(ReplaceFile, ReadersOfTheOldOneKeepIt) {
    const fs::path path = m_dir / "a";
    std::ofstream(path) << "old";
    std::ifstream reader(path);
    EXPECT_TRUE(replace_file(path, "new", 0644));
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(reader), {}), "old");
}

TEST_F(ReplaceFile, NoLinkIsFollowed) {
    std::ofstream(m_dir / "victim") << "mine";
    for (const char* target : {"victim", "not there"}) {
        fs::remove(m_dir / "link");
        fs::create_symlink(m_dir / target, m_dir / "link");
        EXPECT_FALSE(replace_file(m_dir / "link", "text", 0644)) << target;
    }
    EXPECT_EQ(text_of(m_dir / "victim"), "mine");
    EXPECT_FALSE(fs::exists(m_dir / "not there"));
    fs::create_symlink(m_dir / "victim", m_dir / ".a.new");
    EXPECT_TRUE(replace_file(m_dir / "a", "text", 0644));
    EXPECT_EQ(text_of(m_dir / "victim"), "mine");
}

TEST_F(ReplaceFile, OtherThingsStay) {
    fs::create_directory(m_dir / "d");
    EXPECT_FALSE(replace_file(m_dir / "d", "text", 0644));
    EXPECT_FALSE(replace_file(m_dir / "none" / "a", "text", 0644));
    EXPECT_FALSE(replace_file(m_dir.string() + "/", "text", 0644));
    EXPECT_TRUE(fs::is_directory(m_dir / "d"));
}

} // namespace
} // namespace ckpt
