// SPDX-License-Identifier: GPL-2.0-or-later
// Somebody stops a process of the job during a dump: it stands still afterwards, whatever became of the dump.
#include <sys/wait.h>

#include <csignal>
#include <thread>

#include "os/procfs.hpp"
#include "os/tree.hpp"
#include "testbed.hpp"

namespace ckpt::testing {

namespace {

class Stop : public CriuTest, public ::testing::WithParamInterface<int> {};

bool is_stopped(pid_t pid) {
    const auto info = process_info(pid);
    return info && info->state == 'T';
}

pid_t shell_of(const Task& task) {
    const auto children = child_pids(task.root());
    return children && !children->empty() ? children->front() : 0;
}

TEST_P(Stop, IsNotLost) {
    const auto task = make_task();
    task->start("exec 5< /dev/null; while :; do sleep 1; done");
    ASSERT_EQ(task->report().status, wire::InitStatus::started);
    const pid_t shell = shell_of(*task);
    ASSERT_GT(shell, 0);
    for (int delay_ms = 0; delay_ms < 60; delay_ms += 2) {
        std::thread stopper([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
            ::kill(shell, GetParam());
        });
        const Fd images = images_dir("gen-" + std::to_string(delay_ms));
        const auto dumped = call_dump(*task, images.get());
        stopper.join();
        EXPECT_TRUE(eventually([&] { return is_stopped(shell); }, std::chrono::seconds(3)))
            << "stopped " << delay_ms << " ms after the dump began, which "
            << (dumped ? "succeeded" : one_line(dumped.error()));
        ::kill(shell, SIGCONT);
        ASSERT_TRUE(eventually([&] { return !is_stopped(shell); }));
    }
    task->kill_tree();
}

TEST_P(Stop, IsDumpedAndRestored) {
    const auto task = make_task();
    task->start(counting(50, 3));
    ASSERT_EQ(task->report().status, wire::InitStatus::started);
    ASSERT_TRUE(eventually([&] { return task->output().size() > 10; }));
    const pid_t first = shell_of(*task);
    ASSERT_GT(first, 0);
    ::kill(first, GetParam());
    ASSERT_TRUE(eventually([&] { return is_stopped(first); }));
    const Fd images = images_dir("gen-1");
    const auto dumped = call_dump(*task, images.get());
    ASSERT_OK(dumped);
    EXPECT_TRUE(eventually([&] { return is_stopped(first); }));
    task->kill_tree();

    task->renew(task->output_name());
    ASSERT_OK(call_restore(*task, images.get(), m_tails.get()));
    const pid_t second = shell_of(*task);
    ASSERT_GT(second, 0);
    EXPECT_TRUE(eventually([&] { return is_stopped(second); }));
    ::kill(second, SIGCONT);
    const auto ended = task->report();
    EXPECT_EQ(ended.status, wire::InitStatus::ended);
    EXPECT_EQ(WEXITSTATUS(ended.value), 3);
    EXPECT_EQ(task->output(), numbers(50));
}

// Slurm sends SIGCONT with each SIGTERM, so that one often waits in ckpt-init when it is dumped.
TEST_F(CriuTest, ContinueThatWaitsInTheRootIsRestored) {
    const auto task = make_task();
    task->start(counting(50, 3));
    ASSERT_EQ(task->report().status, wire::InitStatus::started);
    ASSERT_TRUE(eventually([&] { return task->output().size() > 10; }));
    const Fd images = images_dir("gen-1");
    {
        const std::jthread sender([&](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
                ::kill(task->root(), SIGCONT);
                std::this_thread::sleep_for(std::chrono::microseconds(200));
            }
        });
        ASSERT_OK(call_dump(*task, images.get()));
    }
    task->kill_tree();

    task->renew(task->output_name());
    ASSERT_OK(call_restore(*task, images.get(), m_tails.get()));
    const auto ended = task->report();
    EXPECT_EQ(ended.status, wire::InitStatus::ended);
    EXPECT_EQ(WEXITSTATUS(ended.value), 3);
    EXPECT_EQ(task->output(), numbers(50));
}

INSTANTIATE_TEST_SUITE_P(By, Stop, ::testing::Values(SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU));

} // namespace

} // namespace ckpt::testing
