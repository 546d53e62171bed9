// SPDX-License-Identifier: GPL-2.0-or-later
// What a user does to get more than the user's own rights out of a dump or a restore.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "os/procfs.hpp"
#include "os/tree.hpp"
#include "testbed.hpp"

namespace ckpt::testing {

namespace {

using wire::InitStatus;

class Attack : public CriuTest {
protected:
    static std::string program() { return std::filesystem::read_symlink("/proc/self/exe"); }
};

// The restored tasks have criu's capabilities for a while: no handler of theirs may run then.
TEST_F(Attack, ASignalOfGlibcsOwnDuringTheRestore) {
    const std::string log = m_place + "/caps";
    const auto task = make_task();
    task->start_command({program(), "--catch-signal-32", log});
    ASSERT_EQ(task->report().status, InitStatus::started);
    ASSERT_TRUE(eventually([&] { return task->output() == "ready\n"; }));
    const auto tree = tree_pids(task->root());
    ASSERT_TRUE(tree);
    const std::set<pid_t> members(tree->begin() + 1, tree->end()); // but for ckpt-init
    const Fd images = images_dir("gen-1");
    DumpCall stop;
    stop.leave_stopped = true;
    ASSERT_OK(call_dump(*task, images.get(), stop));
    task->kill_tree();
    task->renew(task->output_name());

    std::jthread sender([&](const std::stop_token& stopped) {
        while (!stopped.stop_requested())
            for (const pid_t pid : task->cgroup_pids()) {
                const auto info = process_info(pid);
                if (info && !info->ns_pids.empty() && info->ns_pids.size() > 1 &&
                    members.contains(info->ns_pids.back()))
                    ::kill(pid, 32);
            }
    });
    RestoreCall call;
    call.tree_was_stopped = true;
    const auto restored = call_restore(*task, images.get(), m_tails.get(), call);
    ASSERT_OK(restored);
    ASSERT_TRUE(eventually([&] { return !file_text(log).empty(); })) << "the handler runs in the end";
    sender.request_stop();
    sender.join();
    std::istringstream lines(file_text(log));
    for (std::string line; std::getline(lines, line);)
        ASSERT_EQ(line, std::string(16, '0'));
}

// criu may read every file that the job has open, even one that the job may not read.
TEST_F(Attack, ADeletedFileOfSomebodyElse) {
    const std::string secret = m_root + "/secret";
    std::ofstream(secret) << "not for everybody";
    ASSERT_EQ(::chmod(secret.c_str(), 0600), 0);
    const auto task = make_task();
    task->start_command({"/usr/bin/python3", "-c",
                         "import os, time; fd = os.open('" + secret +
                             "', os.O_PATH); print('ready', flush=True); time.sleep(1000)"});
    ASSERT_EQ(task->report().status, InitStatus::started);
    ASSERT_TRUE(eventually([&] { return task->output() == "ready\n"; }));
    ASSERT_EQ(::unlink(secret.c_str()), 0);
    const Fd images = images_dir("gen-1");
    const auto dumped = call_dump(*task, images.get());
    ASSERT_FALSE(dumped);
    EXPECT_EQ(dumped.error().code, Code::dump_refused);
    EXPECT_NE(dumped.error().what.find("another user"), std::string::npos) << one_line(dumped.error());
}

} // namespace

} // namespace ckpt::testing
