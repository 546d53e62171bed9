// SPDX-License-Identifier: GPL-2.0-or-later
// Dumps and restores with the real CRIU: what a job must not notice.
#include <sys/wait.h>

#include <csignal>
#include <thread>

#include "testbed.hpp"

namespace ckpt::testing {

namespace {

using wire::InitStatus;

class Roundtrip : public CriuTest {};

TEST_F(Roundtrip, ADumpLeavesTheJobRunning) {
    const auto task = make_task();
    task->start(counting(100, 5));
    ASSERT_EQ(task->report().status, InitStatus::started);
    ASSERT_TRUE(eventually([&] { return task->output().size() > 20; }));

    const Fd images = images_dir("gen-1");
    const auto dumped = call_dump(*task, images.get());
    ASSERT_OK(dumped);
    EXPECT_GE(dumped->processes, 2U);
    EXPECT_GT(dumped->image_bytes, 10000U);
    EXPECT_LT(dumped->frozen_us, 2'000'000U);
    EXPECT_FALSE(dumped->criu_version.empty());

    const auto ended = task->report();
    EXPECT_EQ(ended.status, InitStatus::ended);
    EXPECT_EQ(WEXITSTATUS(ended.value), 5);
    EXPECT_EQ(task->output(), numbers(100));
}

// interval generation, more output, death, restore with rollback; then again from the restored namespaces
TEST_F(Roundtrip, TwiceRestoredOutputIsExact) {
    const auto task = make_task();
    task->start(counting(150, 7));
    ASSERT_EQ(task->report().status, InitStatus::started);
    ASSERT_TRUE(eventually([&] { return task->output().size() > 40; }));
    const Fd first = images_dir("gen-1");
    ASSERT_OK(call_dump(*task, first.get()));
    const std::size_t at_dump = task->output().size();
    ASSERT_TRUE(eventually([&] { return task->output().size() > at_dump + 20; }));
    task->kill_tree();

    task->renew(task->output_name());
    const auto restored = call_restore(*task, first.get(), m_tails.get());
    ASSERT_OK(restored);
    EXPECT_EQ(restored->rolled_back.size(), 1U);
    EXPECT_EQ(task->cgroup_pids().front(), task->init());
    const std::size_t resumed = task->output().size();
    ASSERT_TRUE(eventually([&] { return task->output().size() > resumed + 40; }));

    const Fd second = images_dir("gen-2");
    DumpCall stop;
    stop.leave_stopped = true;
    ASSERT_OK(call_dump(*task, second.get(), stop));
    const std::string at_stop = task->output();
    task->kill_tree();
    EXPECT_EQ(task->output(), at_stop);

    task->renew(task->output_name());
    RestoreCall stopped;
    stopped.tree_was_stopped = true;
    ASSERT_OK(call_restore(*task, second.get(), m_tails.get(), stopped));
    const auto ended = task->report();
    EXPECT_EQ(ended.status, InitStatus::ended);
    EXPECT_EQ(WEXITSTATUS(ended.value), 7);
    EXPECT_EQ(task->output(), numbers(150));
    EXPECT_TRUE(eventually([&] { return task->cgroup_pids().empty(); }));
}

TEST_F(Roundtrip, PipesAreReplacedByTheNewIncarnations) {
    const auto task = make_task(Output::pipe);
    task->start(counting(100, 0));
    ASSERT_EQ(task->report().status, InitStatus::started);
    ASSERT_TRUE(eventually([&] { return task->output().size() > 20; }));
    const Fd images = images_dir("gen-1");
    DumpCall stop;
    stop.leave_stopped = true;
    ASSERT_OK(call_dump(*task, images.get(), stop));
    task->kill_tree();
    task->renew("");
    RestoreCall stopped;
    stopped.tree_was_stopped = true;
    ASSERT_OK(call_restore(*task, images.get(), m_tails.get(), stopped));
    const auto ended = task->report();
    EXPECT_EQ(ended.status, InitStatus::ended);
    EXPECT_EQ(ended.value, 0);
    EXPECT_EQ(task->output(), numbers(100));
}

TEST_F(Roundtrip, SignalsAndOrphansSurvive) {
    const auto task = make_task();
    task->start("(sleep 1000 &); trap 'echo caught; exit 9' USR1; echo ready; while :; do sleep 0.05; done");
    ASSERT_EQ(task->report().status, InitStatus::started);
    ASSERT_TRUE(eventually([&] { return task->output() == "ready\n"; }));
    const Fd images = images_dir("gen-1");
    const auto dumped = call_dump(*task, images.get());
    ASSERT_OK(dumped);
    EXPECT_GE(dumped->processes, 3U);
    task->kill_tree();
    task->renew(task->output_name());
    ASSERT_OK(call_restore(*task, images.get(), m_tails.get()));
    EXPECT_GE(task->cgroup_pids().size(), 4U);   // pid 1, ckpt-init, bash, the orphan
    ASSERT_EQ(::kill(task->root(), SIGUSR1), 0); // a plain signal is not relayed
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_EQ(task->output(), "ready\n");
    task->signal(SIGUSR1, wire::SignalScope::process);
    const auto ended = task->report();
    EXPECT_EQ(ended.status, InitStatus::ended);
    EXPECT_EQ(WEXITSTATUS(ended.value), 9);
    EXPECT_EQ(task->output(), "ready\ncaught\n");
    EXPECT_TRUE(
        eventually([&] { return task->cgroup_pids().empty(); })); // the orphan went with its namespace
}

} // namespace

} // namespace ckpt::testing
