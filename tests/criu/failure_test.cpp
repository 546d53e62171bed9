// SPDX-License-Identifier: GPL-2.0-or-later
// Restores that fail: nothing of the job runs, its files are as they were found, and the next attempt may
// work.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "testbed.hpp"

namespace ckpt::testing {

namespace {

using wire::InitStatus;

class Failure : public CriuTest {
protected:
    // A killed task whose output has grown since its only generation.
    void SetUp() override {
        CriuTest::SetUp();
        if (IsSkipped()) return;
        m_task = make_task();
        m_task->start("umask 077; echo 1234 > input; umask 022; exec 5<> data 6< input; " + counting(100, 0));
        ASSERT_EQ(m_task->report().status, InitStatus::started);
        ASSERT_TRUE(eventually([&] { return m_task->output().size() > 40; }));
        m_images = images_dir("gen-1");
        ASSERT_OK(call_dump(*m_task, m_images.get()));
        const std::size_t size = m_task->output().size();
        ASSERT_TRUE(eventually([&] { return m_task->output().size() > size + 20; }));
        m_task->kill_tree();
        m_found = m_task->output();
        m_task->renew(m_task->output_name());
    }

    void expect_failure(Code code, const std::string& words, const RestoreCall& call = {}) {
        const auto restored = call_restore(*m_task, m_images.get(), m_tails.get(), call);
        ASSERT_FALSE(restored);
        EXPECT_EQ(restored.error().code, code) << one_line(restored.error());
        EXPECT_NE(one_line(restored.error()).find(words), std::string::npos) << one_line(restored.error());
        EXPECT_TRUE(m_task->cgroup_pids().empty());
        EXPECT_EQ(m_task->output(), m_found);
    }

    void expect_success() {
        ASSERT_OK(call_restore(*m_task, m_images.get(), m_tails.get()));
        EXPECT_EQ(m_task->report().status, InitStatus::ended);
        EXPECT_EQ(m_task->output(), numbers(100));
    }

    static void as_user(const std::function<void()>& action) {
        const AsUser user;
        action();
    }

    std::unique_ptr<Task> m_task;
    Fd m_images;
    std::string m_found;
};

TEST_F(Failure, AMissingFileIsNamed) {
    as_user([&] { ASSERT_EQ(::rename((m_place + "/data").c_str(), (m_place + "/away").c_str()), 0); });
    expect_failure(Code::rollback_refused, m_place + "/data is missing");
    as_user([&] { ASSERT_EQ(::rename((m_place + "/away").c_str(), (m_place + "/data").c_str()), 0); });
    expect_success();
}

TEST_F(Failure, CriusRefusalPutsTheOutputBack) {
    as_user([&] {
        ASSERT_EQ(::chmod((m_place + "/data").c_str(), 0400 | 0200 | 0007), 0);
    }); // CRIU compares modes
    expect_failure(Code::restore_failed, "other permissions");
    as_user([&] { ASSERT_EQ(::chmod((m_place + "/data").c_str(), 0644), 0); });
    expect_success();
}

// criu must not follow, as root, a path that the user has turned into a link (engine/criu_rights.hpp).
TEST_F(Failure, ALinkToRootsFileIsNotFollowed) {
    const std::string secret = m_root + "/secret";
    std::ofstream(secret) << "12345";
    ASSERT_EQ(::chmod(secret.c_str(), 0600), 0);
    as_user([&] {
        ASSERT_EQ(::unlink((m_place + "/input").c_str()), 0);
        ASSERT_EQ(::symlink(secret.c_str(), (m_place + "/input").c_str()), 0);
    });
    expect_failure(Code::restore_failed, "input");
    as_user([&] {
        ASSERT_EQ(::unlink((m_place + "/data").c_str()), 0);
        ASSERT_EQ(::symlink(secret.c_str(), (m_place + "/data").c_str()), 0);
    });
    expect_failure(Code::rollback_refused, "data");
}

TEST_F(Failure, BrokenImagesPutTheOutputBack) {
    for (const auto& entry : std::filesystem::directory_iterator(m_root + "/gen-1"))
        if (entry.path().filename().string().starts_with("files.img"))
            std::filesystem::resize_file(entry.path(), 20);
    expect_failure(Code::restore_failed, "CRIU: ");
}

TEST_F(Failure, ForeignImagesAreRefused) {
    RestoreCall other;
    other.user = {k_uid + 1, k_gid, {k_group}};
    expect_failure(Code::restore_refused, "rights", other);
}

TEST_F(Failure, ADeadlineEndsEverything) {
    RestoreCall hasty;
    hasty.timeout_ms = 1;
    const auto restored = call_restore(*m_task, m_images.get(), m_tails.get(), hasty);
    ASSERT_FALSE(restored);
    EXPECT_TRUE(m_task->cgroup_pids().empty());
    EXPECT_EQ(m_task->output(), m_found);
    expect_success();
}

// Nobody has vouched for what a killed engine left behind: pid 1 ends it.
TEST_F(Failure, AKilledEngineLeavesNothing) {
    for (int delay = 5; delay < 120; delay += 10) {
        RestoreCall killed;
        killed.kill_engine_after = std::chrono::milliseconds(delay);
        if (call_restore(*m_task, m_images.get(), m_tails.get(), killed)) break; // it was faster
        EXPECT_TRUE(eventually([&] { return m_task->cgroup_pids().empty(); })) << delay;
    }
}

} // namespace

} // namespace ckpt::testing
