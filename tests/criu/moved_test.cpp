// SPDX-License-Identifier: GPL-2.0-or-later
// The next incarnation is another job: its output file and its batch script are elsewhere.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testbed.hpp"

namespace ckpt::testing {

namespace {

using wire::InitStatus;

class Moved : public CriuTest {
protected:
    void write_script(const std::string& job) {
        const std::string dir = m_place + "/" + job;
        {
            const AsUser as_user;
            ASSERT_EQ(::mkdir(dir.c_str(), 0700), 0);
        }
        // bash reads its script piece by piece, so its offset matters (fd 255)
        std::string script = "#!/bin/bash\n";
        for (int i = 1; i <= 60; ++i)
            script += "echo " + std::to_string(i) + "; sleep 0.02\n";
        put_file(dir + "/slurm_script", script + "exit 6\n");
    }
};

TEST_F(Moved, OutputAndScript) {
    const auto task = make_task();
    write_script("job1");
    task->start_command({"/bin/bash", m_place + "/job1/slurm_script"});
    ASSERT_EQ(task->report().status, InitStatus::started);
    ASSERT_TRUE(eventually([&] { return task->output().size() > 30; }));
    const Fd images = images_dir("gen-1");
    ASSERT_OK(call_dump(*task, images.get()));
    std::string before = task->output();
    ASSERT_TRUE(eventually([&] { return task->output().size() > before.size() + 10; }));
    task->kill_tree();
    const std::string old_output = task->output();

    const std::string old_name = task->output_name();
    write_script("job2");
    put_file(m_place + "/job1/slurm_script", "gone\n");
    task->renew("second.out");
    RestoreCall moved;
    moved.script = m_place + "/job2/slurm_script";
    const auto restored = call_restore(*task, images.get(), m_tails.get(), moved);
    ASSERT_OK(restored);
    EXPECT_TRUE(restored->rolled_back.empty());

    // and once more from there
    const Fd second = images_dir("gen-2");
    ASSERT_TRUE(eventually([&] { return task->output().size() > 10; }));
    DumpCall stop;
    stop.leave_stopped = true;
    ASSERT_OK(call_dump(*task, second.get(), stop));
    task->kill_tree();
    task->renew("second.out");
    moved.tree_was_stopped = true;
    ASSERT_OK(call_restore(*task, second.get(), m_tails.get(), moved));

    const auto ended = task->report();
    EXPECT_EQ(ended.status, InitStatus::ended);
    EXPECT_EQ(WEXITSTATUS(ended.value), 6);
    EXPECT_EQ(file_text(m_place + "/" + old_name), old_output); // the old job's file is not ours any more
    const std::string whole = numbers(60);
    EXPECT_TRUE(whole.ends_with(task->output())) << task->output();
    // nothing lost between the cut and the new file
    EXPECT_LE(whole.size() - task->output().size(), before.size() + 10);
}

} // namespace

} // namespace ckpt::testing
