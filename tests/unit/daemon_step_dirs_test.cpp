// SPDX-License-Identifier: GPL-2.0-or-later
// The directories for srun's stand-ins: each its user's alone, and empty when its job starts.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "daemon/step_dirs.hpp"
#include "wire/step_messages.hpp"

namespace ckpt {
namespace {

constexpr uid_t k_user = 4711;

class StepDirsTest : public ::testing::Test {
protected:
    void SetUp() override {
        std::string path = "/run/ckpt-steps-XXXXXX";
        ASSERT_NE(::mkdtemp(path.data()), nullptr);
        m_path = path;
        ASSERT_EQ(::chmod(m_path.c_str(), 0755), 0);
        open({});
    }
    void TearDown() override {
        m_dirs.reset();
        (void)::umount2(m_path.c_str(), MNT_DETACH); // its own, if it could be mounted
        std::filesystem::remove_all(m_path);
    }
    void open(const std::set<std::string>& kept) {
        m_dirs.reset();
        auto dirs = StepDirs::open(m_path, kept);
        ASSERT_TRUE(dirs) << one_line(dirs.error());
        m_dirs.emplace(std::move(*dirs));
    }
    void make(const std::string& name) {
        const Status made = m_dirs->make(name, {{k_user, k_user, {}}});
        ASSERT_TRUE(made) << one_line(made.error());
    }
    [[nodiscard]] bool exists(const std::string& name) const {
        return std::filesystem::exists(m_path + "/" + name);
    }

    std::string m_path;
    std::optional<StepDirs> m_dirs;
};

TEST(StepDirNames, TellUsersApart) {
    EXPECT_TRUE(StepDirs::is_of(StepDirs::name_of(10, 7), 10));
    EXPECT_FALSE(StepDirs::is_of(StepDirs::name_of(10, 7), 1));
    EXPECT_FALSE(StepDirs::is_of("10-7/../11-7", 10));
    EXPECT_FALSE(StepDirs::is_of("", 10));
}

TEST(StepDirNames, OfAnotherJobAreTakenWhenItIsNotHere) {
    const std::string name = StepDirs::name_of(10, 7);
    EXPECT_TRUE(StepDirs::may_take(name, 10, {StepDirs::name_of(10, 8)}));
    EXPECT_FALSE(StepDirs::may_take(name, 10, {name}));
    const Status others = StepDirs::may_take(name, 11, {});
    ASSERT_FALSE(others);
    EXPECT_EQ(others.error().code, Code::restore_impossible);
}

TEST_F(StepDirsTest, AreTheirUsersAlone) {
    make("4711-1");
    struct stat status{};
    ASSERT_EQ(::stat((m_path + "/4711-1").c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, k_user);
    EXPECT_EQ(status.st_mode & 07777U, 0700U);
}

TEST_F(StepDirsTest, AreEmptyAgainForTheNextIncarnation) {
    make("4711-1");
    std::ofstream(m_path + "/4711-1/left").close();
    make("4711-1");
    EXPECT_FALSE(exists("4711-1/left"));
    const auto aside = m_dirs->take_aside();
    ASSERT_EQ(aside.size(), 1U);
    EXPECT_TRUE(std::filesystem::exists(aside.front() + "/left"));
    struct stat status{};
    ASSERT_EQ(::stat(aside.front().c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 0U) << "its user can make nothing in it any more";
    EXPECT_TRUE(m_dirs->take_aside().empty());
}

TEST_F(StepDirsTest, OfJobsThatAreGoneAreRemoved) {
    make("4711-1");
    make("4711-2");
    m_dirs->remove("4711-1");
    EXPECT_FALSE(exists("4711-1"));
    EXPECT_TRUE(exists("4711-2"));
}

TEST_F(StepDirsTest, AreFoundByTheCgroupOfTheirJob) {
    const auto leads_to = [&](const char* cgroup) {
        std::error_code none;
        return std::filesystem::read_symlink(m_path + "/" + wire::step_link_name(k_user, cgroup), none)
            .string();
    };
    make("4711-1");
    make("4711-2");
    m_dirs->link(k_user, "job_1", "4711-1");
    m_dirs->link(k_user, "s58HM8DVFX0500", "4711-2");
    EXPECT_EQ(leads_to("job_1"), "4711-1");
    m_dirs->link(k_user, "job_1", "4711-2"); // its script goes on where another job's was
    EXPECT_EQ(leads_to("job_1"), "4711-2");
    m_dirs->remove("4711-2");
    EXPECT_EQ(leads_to("job_1"), "");
    EXPECT_EQ(leads_to("s58HM8DVFX0500"), "");
    m_dirs->link(k_user, "job_1", "4711-1");
    m_dirs->link(k_user, "job_9", "4711-9");
    open({"4711-1"});
    EXPECT_EQ(leads_to("job_1"), "4711-1") << "the job runs on under the next ckptd";
    EXPECT_EQ(leads_to("job_9"), "");
}

TEST_F(StepDirsTest, ThatAnEarlierDaemonHasLeftAreKeptForItsJobsOnly) {
    make("4711-1");
    make("4711-2");
    make("4711-3");
    m_dirs->remove("4711-3"); // and it ends before that is gone
    open({"4711-2"});
    EXPECT_FALSE(exists("4711-1"));
    EXPECT_TRUE(exists("4711-2"));
    EXPECT_EQ(m_dirs->take_aside().size(), 2U);
}

} // namespace
} // namespace ckpt
