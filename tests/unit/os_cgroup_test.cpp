// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "os/cgroup.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;

TEST(CgroupLines, OfBothVersions) {
    EXPECT_EQ(job_cgroup("/sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_batch/user/task_0"),
              "/sys/fs/cgroup/system.slice/slurmstepd.scope/job_7");
    EXPECT_EQ(job_cgroup("/sys/fs/cgroup/system.slice/slurmstepd.scope/s58HM8DVFX0500/step_0/user/task_0"),
              "/sys/fs/cgroup/system.slice/slurmstepd.scope/s58HM8DVFX0500");
    EXPECT_EQ(job_cgroup("/sys/fs/cgroup/freezer/slurm/uid_2001/job_7/step_0/task_0"),
              "/sys/fs/cgroup/freezer/slurm/uid_2001/job_7");
    EXPECT_EQ(job_cgroup("/sys/fs/cgroup/user.slice"), "");
    const auto lines = cgroup_lines("9:name=systemd:/a\n4:cpu,cpuacct:/b:c/d\n0::/user.slice\nnonsense\n");
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_EQ(lines[0].controllers, "name=systemd");
    EXPECT_EQ(lines[1].controllers, "cpu,cpuacct");
    EXPECT_EQ(lines[1].path, "/b:c/d");
    EXPECT_EQ(lines[2].controllers, "");
    EXPECT_EQ(lines[2].path, "/user.slice");
}

// Directories as the kernel shows them for a job of Slurm's.
class MemoryCgroupTest : public testing::Test {
protected:
    MemoryCgroupTest() {
        std::string name = (fs::temp_directory_path() / "ckpt-cgroup-XXXXXX").string();
        m_top = ::mkdtemp(name.data());
        fs::create_directories(task());
    }
    ~MemoryCgroupTest() override { fs::remove_all(m_top); }
    MemoryCgroupTest(const MemoryCgroupTest&) = delete;
    MemoryCgroupTest& operator=(const MemoryCgroupTest&) = delete;

    [[nodiscard]] fs::path job() const { return m_top / "job_1"; }
    [[nodiscard]] fs::path step() const { return job() / "step_batch"; }
    [[nodiscard]] fs::path task() const { return step() / "task_0"; }
    static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
    [[nodiscard]] MemoryCgroup look() const { return memory_cgroup(task().string()); }

    fs::path m_top;
};

TEST_F(MemoryCgroupTest, VersionOne) {
    write(task() / "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    write(task() / "memory.limit_in_bytes", "9223372036854771712\n");
    write(step() / "memory.limit_in_bytes", "104857600\n");
    write(job() / "memory.limit_in_bytes", "209715200\n");
    EXPECT_EQ(look().oom_kills, 2U);
    EXPECT_EQ(look().limit, 104857600U);
    write(step() / "memory.failcnt", "0\n");
    EXPECT_FALSE(look().limit_was_hit);
    write(step() / "memory.failcnt", "17\n");
    EXPECT_TRUE(look().limit_was_hit);
}

TEST_F(MemoryCgroupTest, VersionTwo) {
    write(task() / "memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n");
    write(task() / "memory.max", "max\n");
    write(step() / "memory.max", "209715200\n");
    write(job() / "memory.max", "104857600\n");
    EXPECT_EQ(look().oom_kills, 1U);
    EXPECT_EQ(look().limit, 104857600U);
    EXPECT_FALSE(look().limit_was_hit) << "the whole node may have been short of memory";
    write(job() / "memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n");
    EXPECT_TRUE(look().limit_was_hit);
}

TEST_F(MemoryCgroupTest, WithoutALimit) {
    write(task() / "memory.max", "max\n");
    write(job() / "memory.max", "max\n");
    EXPECT_EQ(look().limit, 0U);
}

// What happened in the job's cgroup or above may have been another step's.
TEST_F(MemoryCgroupTest, KillsAreCountedInTheStepAtMost) {
    write(job() / "memory.events", "oom_kill 5\n");
    EXPECT_EQ(look().oom_kills, 0U);
    write(step() / "memory.events", "oom_kill 3\n");
    EXPECT_EQ(look().oom_kills, 3U);
}

} // namespace
} // namespace ckpt
