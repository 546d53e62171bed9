// SPDX-License-Identifier: GPL-2.0-or-later
// Somebody stops a process of the job during a dump: it stands still afterwards, whatever became of the dump.
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

TEST_P(Stop, IsNotLost) {
    const auto task = make_task();
    task->start("exec 5< /dev/null; while :; do sleep 1; done");
    ASSERT_EQ(task->report().status, wire::InitStatus::started);
    const auto children = child_pids(task->root());
    ASSERT_TRUE(children && !children->empty());
    const pid_t shell = children->front();
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

INSTANTIATE_TEST_SUITE_P(By, Stop, ::testing::Values(SIGSTOP, SIGTSTP, SIGTTIN));

} // namespace

} // namespace ckpt::testing
