// SPDX-License-Identifier: GPL-2.0-or-later
// Files that are open under a name they have lost.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>

#include "testbed.hpp"

namespace ckpt::testing {

namespace {

using wire::InitStatus;
namespace fs = std::filesystem;

// One file with another name beside it, one with a name in another directory, one without any and larger than
// CRIU's own limit for such.
constexpr const char* k_program = R"py(
import os, sys, time
os.mkdir("elsewhere")
def lost(name, other):
    f = open(name, "w+b"); f.write(b"before"); f.flush(); os.link(name, other); os.unlink(name); return f
near, far = lost("near.tmp", "near"), lost("far.tmp", "elsewhere/far")
ghost = open("ghost", "w+b"); ghost.write(b"g" * (3 << 20)); ghost.flush(); os.unlink("ghost")
print("ready", flush=True)
while not os.path.exists("go"): time.sleep(0.02)
near.write(b" after"); near.flush(); far.seek(0); ghost.seek(0)
print(near.tell(), open("near").read(), far.read().decode(), len(ghost.read()), flush=True)
)py";

class Linked : public CriuTest {
protected:
    void SetUp() override {
        CriuTest::SetUp();
        if (IsSkipped()) return;
        put_file(m_place + "/program.py", k_program);
        m_task = make_task();
        m_task->start("cd " + m_place + "; exec /usr/bin/python3 program.py");
        ASSERT_EQ(m_task->report().status, InitStatus::started);
        ASSERT_TRUE(eventually([&] { return m_task->output() == "ready\n"; })) << m_task->output();
        m_images = images_dir("gen-1");
    }

    [[nodiscard]] int links() const {
        const AsUser as_user;
        int count = 0;
        for (const auto& entry : fs::recursive_directory_iterator(m_place))
            count += entry.path().filename().string().starts_with("link_remap") ? 1 : 0;
        return count;
    }

    void restore_and_finish(bool stopped) {
        m_task->renew(m_task->output_name());
        RestoreCall call;
        call.tree_was_stopped = stopped;
        ASSERT_OK(call_restore(*m_task, m_images.get(), m_tails.get(), call));
        EXPECT_EQ(links(), 0);
        put_file(m_place + "/go", "");
        const auto ended = m_task->report();
        EXPECT_EQ(WEXITSTATUS(ended.value), 0);
        EXPECT_EQ(m_task->output(), "ready\n12 before after before 3145728\n");
        EXPECT_EQ(links(), 0);
    }

    std::unique_ptr<Task> m_task;
    Fd m_images;
};

TEST_F(Linked, APeriodicCheckpointRestores) {
    ASSERT_OK(call_dump(*m_task, m_images.get()));
    EXPECT_EQ(links(), 0);
    m_task->kill_tree();
    restore_and_finish(false);
}

TEST_F(Linked, TheLastCheckpointRestoresTwice) {
    DumpCall stop;
    stop.leave_stopped = true;
    ASSERT_OK(call_dump(*m_task, m_images.get(), stop));
    EXPECT_EQ(links(), 1) << "only the file with a name elsewhere needs it";
    m_task->kill_tree();
    m_task->renew(m_task->output_name());
    RestoreCall call;
    call.tree_was_stopped = true;
    ASSERT_OK(call_restore(*m_task, m_images.get(), m_tails.get(), call));
    m_task->kill_tree(); // the node dies
    restore_and_finish(true);
}

// A restore that died between making the links and CRIU's taking them away.
TEST_F(Linked, AnEarlierRestoreHasLeftThem) {
    ASSERT_OK(call_dump(*m_task, m_images.get()));
    m_task->kill_tree();
    {
        const AsUser as_user;
        ASSERT_EQ(::rename((m_place + "/near").c_str(), (m_place + "/kept").c_str()), 0); // by content then
        ASSERT_EQ(::symlink("kept", (m_place + "/near").c_str()), 0);
    }
    for (int delay = 30; delay < 300; delay += 10) {
        m_task->renew(m_task->output_name());
        RestoreCall killed;
        killed.kill_engine_after = std::chrono::milliseconds(delay);
        if (call_restore(*m_task, m_images.get(), m_tails.get(), killed)) break;
        ASSERT_TRUE(eventually([&] { return m_task->cgroup_pids().empty(); })) << delay;
    }
    m_task->kill_tree();
    m_task->renew(m_task->output_name());
    ASSERT_OK(call_restore(*m_task, m_images.get(), m_tails.get()));
    EXPECT_EQ(links(), 0);
    put_file(m_place + "/go", "");
    EXPECT_EQ(WEXITSTATUS(m_task->report().value), 0);
    EXPECT_EQ(m_task->output(), "ready\n12 before before 3145728\n");
}

TEST_F(Linked, TheOtherNameHasGoneToo) {
    ASSERT_OK(call_dump(*m_task, m_images.get()));
    m_task->kill_tree();
    {
        const AsUser as_user;
        ASSERT_EQ(::rename((m_place + "/near").c_str(), (m_place + "/kept").c_str()), 0);
        ASSERT_EQ(::symlink("kept", (m_place + "/near").c_str()), 0); // for what the program reads in the end
    }
    m_task->renew(m_task->output_name());
    ASSERT_OK(call_restore(*m_task, m_images.get(), m_tails.get()));
    EXPECT_EQ(links(), 0);
    put_file(m_place + "/go", "");
    EXPECT_EQ(WEXITSTATUS(m_task->report().value), 0);
    EXPECT_EQ(m_task->output(), "ready\n12 before before 3145728\n");
}

// A file that is open under a lost name and has another in a directory of its own: the link that criu makes
// stays until the restore.
constexpr const char* k_neighbour = R"py(
import os, sys, time
me = sys.argv[1]; os.mkdir("dir" + me)
f = open("lost", "w+b"); f.write(b"before"); f.flush(); os.link("lost", "dir" + me + "/kept"); os.unlink("lost")
print("ready", flush=True)
while not os.path.exists("go"): time.sleep(0.02)
f.write(b" after"); f.flush(); print(open("dir" + me + "/kept").read(), flush=True)
)py";

class LinkedNeighbours : public Linked {
protected:
    void SetUp() override {
        CriuTest::SetUp();
        if (IsSkipped()) return;
        put_file(m_place + "/program.py", k_neighbour);
    }

    std::unique_ptr<Task> start(const std::string& name) {
        auto task = make_task();
        task->start("cd " + m_place + "; exec /usr/bin/python3 program.py " + name);
        EXPECT_EQ(task->report().status, InitStatus::started);
        EXPECT_TRUE(eventually([&] { return task->output() == "ready\n"; })) << task->output();
        return task;
    }

    void finish(Task& task) {
        EXPECT_EQ(WEXITSTATUS(task.report().value), 0);
        EXPECT_EQ(task.output(), "ready\nbefore after\n");
    }
};

// In one directory, where whoever may write has taken the names that criu would choose.
TEST_F(LinkedNeighbours, TwoJobsAndPlantedNames) {
    constexpr int k_planted = 300;
    for (int i = 1; i <= k_planted; ++i)
        put_file(m_place + "/link_remap." + std::to_string(i), "planted");
    const std::array tasks = {start("A"), start("B")};
    const std::array images = {images_dir("gen-A"), images_dir("gen-B")};
    DumpCall stop;
    stop.leave_stopped = true;
    for (std::size_t i = 0; i < tasks.size(); ++i)
        ASSERT_OK(call_dump(*tasks.at(i), images.at(i).get(), stop));
    EXPECT_EQ(links(), k_planted + 2);
    for (const auto& task : tasks)
        task->kill_tree();
    put_file(m_place + "/lost", "planted");
    put_file(m_place + "/lost.cr_link", "planted");
    RestoreCall call;
    call.tree_was_stopped = true;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        tasks.at(i)->renew(tasks.at(i)->output_name());
        ASSERT_OK(call_restore(*tasks.at(i), images.at(i).get(), m_tails.get(), call));
    }
    EXPECT_EQ(links(), k_planted);
    put_file(m_place + "/go", "");
    for (const auto& task : tasks)
        finish(*task);
}

} // namespace

} // namespace ckpt::testing
