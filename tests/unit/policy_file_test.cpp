// SPDX-License-Identifier: GPL-2.0-or-later
// Which files load_policy trusts. Runs as root and as anybody else.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/policy_yaml.hpp"

namespace ckpt {
namespace {

using testing::HasSubstr;

class PolicyFile : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "ckpt-policy-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        m_dir = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(m_dir); }

    std::string write(const std::string& text, mode_t mode) const {
        const std::string path = m_dir / "checkpoint.yaml";
        std::ofstream(path) << text;
        EXPECT_EQ(::chmod(path.c_str(), mode), 0);
        return path;
    }
    static void expect_untrusted(const std::string& path, const std::string& why, uid_t owner = 0) {
        const auto policy = load_policy(path, owner);
        ASSERT_FALSE(policy);
        EXPECT_EQ(policy.error().code, Code::policy_unreadable);
        EXPECT_THAT(policy.error().what, HasSubstr(why));
        EXPECT_THAT(policy.error().what, HasSubstr(path));
    }

    std::filesystem::path m_dir;
};

TEST_F(PolicyFile, MissingMeansDefaults) {
    const auto policy = load_policy(m_dir / "none.yaml");
    ASSERT_TRUE(policy);
    EXPECT_EQ(policy->defaults.keep, 2U);
}

TEST_F(PolicyFile, OfAnotherUserIsNotTrusted) {
    const std::string path = write("version: 1\n", 0644);
    if (::geteuid() == 0) {
        ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
    }
    expect_untrusted(path, "expected root");
}

TEST_F(PolicyFile, SymbolicLinkIsNotFollowed) {
    const std::string path = m_dir / "link.yaml";
    ASSERT_EQ(::symlink("/etc/passwd", path.c_str()), 0);
    expect_untrusted(path, "symbolic link");
}

TEST_F(PolicyFile, FifoDoesNotBlock) {
    const std::string path = m_dir / "fifo";
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    expect_untrusted(path, "not a regular file");
}

TEST_F(PolicyFile, DirectoryIsRefused) {
    expect_untrusted(m_dir, "not a regular file");
}

TEST_F(PolicyFile, OfRootIsRead) {
    // A root-owned file that every machine has; no policy, so the parser's error shows that it was read.
    const auto policy = load_policy("/etc/passwd");
    ASSERT_FALSE(policy);
    EXPECT_THAT(policy.error().what, HasSubstr("/etc/passwd:1:"));
}

TEST_F(PolicyFile, OfTheOwnerIsRead) {
    EXPECT_EQ(load_policy(write("version: 1\ndefaults: {keep: 7}\n", 0644), ::geteuid())->defaults.keep, 7U);
}

TEST_F(PolicyFile, WritableByOthersIsNotTrusted) {
    for (const mode_t mode : {0664U, 0646U, 0666U})
        expect_untrusted(write("version: 1\n", mode), "lets others", ::geteuid());
}

TEST_F(PolicyFile, DropInsComeInTheOrderOfTheirNames) {
    const auto folder = m_dir / "p.d";
    std::filesystem::create_directory(folder);
    const std::string path = m_dir / "p.yaml";
    const auto put = [](const std::filesystem::path& file, const std::string& text) {
        std::ofstream(file) << text;
        ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
    };
    put(folder / "20-b.yaml", "version: 1\ndefaults: {keep: 5}\n");
    put(folder / "10-a.yaml", "version: 1\ndefaults: {keep: 4, max_restarts: 3}\n");
    put(folder / "30.yaml.rpmsave", "nonsense");
    put(folder / ".40.yaml", "nonsense");
    const auto load = [&] { return load_policy(path, ::geteuid()); };
    EXPECT_EQ(load()->defaults.keep, 5U) << "without a main file too";
    put(path, "version: 1\ndefaults: {keep: 9}\n");
    EXPECT_EQ(load()->defaults.keep, 5U);
    EXPECT_EQ(load()->defaults.max_restarts, 3U);
    put(folder / "99.yaml", "version: 2\n");
    EXPECT_THAT(load().error().what, HasSubstr("p.d/99.yaml:1:10: version"));
    std::filesystem::remove(folder / "99.yaml");
    std::filesystem::create_symlink("20-b.yaml", folder / "99.yaml");
    EXPECT_THAT(load().error().what, HasSubstr("symbolic link"));
    std::filesystem::remove(folder / "99.yaml");
    ASSERT_EQ(::chmod(folder.c_str(), 0777), 0);
    EXPECT_THAT(load().error().what, HasSubstr("lets others than root write it"));
    std::filesystem::remove_all(folder);
    put(folder, "");
    EXPECT_THAT(load().error().what, HasSubstr("expected a directory"));
}

TEST_F(PolicyFile, TooLargeIsRefused) {
    const auto policy = load_policy(write(std::string(3U << 20, '#'), 0644), ::geteuid());
    ASSERT_FALSE(policy);
    EXPECT_THAT(policy.error().what, HasSubstr("at most 1 MiB"));
}

} // namespace
} // namespace ckpt
