// SPDX-License-Identifier: GPL-2.0-or-later
// Files on the node's own disk and in its memory, which another node does not have.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "testbed.hpp"

namespace ckpt::testing {

namespace {

using wire::InitStatus;
namespace fs = std::filesystem;

// Everything it uses lies in LOCAL; says "ready", waits for the file "go" in its home, checks, and ends with
// 0.
constexpr const char* k_program = R"py(
import fcntl, mmap, os, socket, sys, time
local, home = sys.argv[1], os.getcwd()
os.makedirs(local + "/deep/er", mode=0o755); os.chmod(local + "/deep", 0o750)
os.chdir(local + "/deep/er")
state = open(local + "/state", "w+b"); state.write(b"x" * 5000 + b"before"); state.flush()
segment = os.open(local + "/segment", os.O_RDWR | os.O_CREAT, 0o600); os.ftruncate(segment, 1 << 20)
shared = mmap.mmap(segment, 1 << 20); os.close(segment); shared[4000:4006] = b"before"
reader = open(local + "/reader", "w"); reader.write("to be read"); reader.close(); reader = open(local + "/reader")
log = open("log", "a"); print("first", file=log, flush=True)
os.mkfifo("fifo"); fifo = os.open("fifo", os.O_RDWR); os.write(fifo, b"in the fifo")
listener = socket.socket(socket.AF_UNIX); os.mkdir(local + "/socks"); listener.bind(local + "/socks/s"); listener.listen()
os.chmod(".", 0o500)
print("ready", flush=True)
while not os.path.exists(home + "/changed"): time.sleep(0.02)
state.seek(5000); state.write(b"after!"); state.flush(); shared[4000:4006] = b"after!"; print("second", file=log, flush=True)
print("changed", flush=True)
while not os.path.exists(home + "/go"): time.sleep(0.02)
problems = []
def check(name, ok): ok or problems.append(name)
state.seek(5000); check("state", state.read() == b"after!" and open(local + "/state", "rb").read() == b"x" * 5000 + b"after!")
check("mapping", shared[4000:4006] == b"after!" and open(local + "/segment", "rb").read()[4000:4006] == b"after!")
check("reader", reader.read() == "to be read")
check("log", open("log").read() == "first\nsecond\n")
check("fifo", os.read(fifo, 100) == b"in the fifo" and os.path.samefile("fifo", f"/proc/self/fd/{fifo}"))
client = socket.socket(socket.AF_UNIX); client.connect(local + "/socks/s"); check("socket", listener.accept())
check("directory", os.path.samefile(".", local + "/deep/er") and os.stat(local + "/deep").st_mode & 0o777 == 0o750 and os.stat(".").st_mode & 0o777 == 0o500)
print(problems, flush=True); sys.exit(len(problems))
)py";

class Local : public CriuTest {
protected:
    void SetUp() override {
        CriuTest::SetUp();
        if (IsSkipped()) return;
        m_local = m_root + "/local";
        ASSERT_EQ(::mkdir(m_local.c_str(), 0700), 0);
        ASSERT_EQ(::chmod(m_local.c_str(), 01777), 0);
        put_file(m_place + "/program.py", k_program);
        m_task = make_task();
        m_task->start("cd " + m_place + "; exec /usr/bin/python3 program.py " + m_local + "/job");
        ASSERT_EQ(m_task->report().status, InitStatus::started);
        ASSERT_TRUE(eventually([&] { return m_task->output() == "ready\n"; })) << m_task->output();
        m_call.node_local = {"/tmp", m_local};
        m_images = images_dir("gen-1");
    }

    void restore_and_finish(bool was_stopped) {
        m_task->renew(m_task->output_name());
        RestoreCall call;
        call.tree_was_stopped = was_stopped;
        ASSERT_OK(call_restore(*m_task, m_images.get(), m_tails.get(), call));
        put_file(m_place + "/changed", "");
        put_file(m_place + "/go", "");
        const auto ended = m_task->report();
        EXPECT_EQ(ended.status, InitStatus::ended);
        EXPECT_EQ(m_task->output(), "ready\nchanged\n[]\n");
        EXPECT_EQ(WEXITSTATUS(ended.value), 0);
        for (const auto& entry : fs::recursive_directory_iterator(m_local))
            EXPECT_FALSE(entry.path().filename().string().starts_with(".ckpt-")) << entry.path();
    }

    std::string m_local;
    std::unique_ptr<Task> m_task;
    DumpCall m_call;
    Fd m_images;
};

TEST_F(Local, NothingOfItIsThere) {
    m_call.leave_stopped = true;
    ASSERT_OK(call_dump(*m_task, m_images.get(), m_call));
    m_task->kill_tree();
    fs::remove_all(m_local + "/job");
    restore_and_finish(true);
    const fs::path job = m_local + "/job";
    struct stat st{};
    ASSERT_EQ(::stat((job / "segment").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777U, 0600U);
    EXPECT_EQ(st.st_uid, k_uid);
    EXPECT_LT(st.st_blocks, 64) << "holes stay holes";
}

TEST_F(Local, TheJobHasGoneOnAndComesBackToTheCut) {
    ASSERT_OK(call_dump(*m_task, m_images.get(), m_call));
    put_file(m_place + "/changed", "");
    ASSERT_TRUE(eventually([&] { return m_task->output() == "ready\nchanged\n"; }));
    m_task->kill_tree();
    {
        const AsUser as_user;
        ASSERT_EQ(::unlink((m_place + "/changed").c_str()), 0);
    }
    restore_and_finish(false);
}

TEST_F(Local, AnEarlierIncarnationLeftFilesOfTheSameNames) {
    m_call.leave_stopped = true;
    ASSERT_OK(call_dump(*m_task, m_images.get(), m_call));
    m_task->kill_tree();
    fs::rename(m_local + "/job", m_local + "/was");
    {
        const AsUser as_user;
        fs::create_directories(m_local + "/job");
    }
    put_file(m_local + "/job/state", "something older");
    put_file(m_local + "/job/reader", "something older");
    restore_and_finish(true);
}

TEST_F(Local, AFailedRestoreTakesItBack) {
    m_call.leave_stopped = true;
    ASSERT_OK(call_dump(*m_task, m_images.get(), m_call));
    m_task->kill_tree();
    fs::remove_all(m_local + "/job");
    {
        const AsUser as_user;
        fs::create_directories(m_local + "/job");
    }
    put_file(m_local + "/job/state", "something older");
    for (const auto& entry : fs::directory_iterator(m_root + "/gen-1"))
        if (entry.path().filename().string().starts_with("files.img")) fs::resize_file(entry.path(), 20);
    m_task->renew(m_task->output_name());
    RestoreCall call;
    call.tree_was_stopped = true;
    ASSERT_FALSE(call_restore(*m_task, m_images.get(), m_tails.get(), call));
    EXPECT_EQ(file_text(m_local + "/job/state"), "something older");
    EXPECT_EQ(std::distance(fs::directory_iterator(m_local + "/job"), {}), 1);
}

// Other files of the user's under these names come back whenever it dies, and are kept once it succeeds.
TEST_F(Local, AKilledRestoreIsTakenBack) {
    m_call.leave_stopped = true;
    ASSERT_OK(call_dump(*m_task, m_images.get(), m_call));
    m_task->kill_tree();
    fs::rename(m_local + "/job", m_local + "/was");
    {
        const AsUser as_user;
        fs::create_directories(m_local + "/job");
    }
    put_file(m_local + "/job/state", "another job's");
    RestoreCall call;
    call.tree_was_stopped = true;
    int killed = 0;
    for (int delay = 5; delay < 400; delay += 5) {
        m_task->renew(m_task->output_name());
        call.kill_engine_after = std::chrono::milliseconds(delay);
        if (call_restore(*m_task, m_images.get(), m_tails.get(), call)) break;
        ASSERT_TRUE(eventually([&] { return m_task->cgroup_pids().empty(); })) << delay;
        ++killed;
        bool finished = false;
        for (const auto& entry : fs::directory_iterator(m_local + "/job"))
            finished |= entry.path().extension() == ".done";
        if (finished) break;
        ASSERT_OK(call_undo(m_images.get(), m_tails.get(), call));
        ASSERT_EQ(file_text(m_local + "/job/state"), "another job's") << delay;
        ASSERT_FALSE(fs::exists(m_local + "/job/reader")) << delay;
    }
    EXPECT_GT(killed, 2);
    m_task->kill_tree();
    restore_and_finish(true);
    std::string kept;
    for (const auto& entry : fs::directory_iterator(m_root + "/tails")) {
        std::ifstream in(entry.path());
        kept += std::string{std::istreambuf_iterator<char>(in), {}};
    }
    EXPECT_NE(kept.find("another job's"), std::string::npos);
}

// Whoever owns a directory could swap what is in it under the restored program.
TEST_F(Local, SomebodyElsesDirectoryIsRefused) {
    m_call.leave_stopped = true;
    ASSERT_OK(call_dump(*m_task, m_images.get(), m_call));
    m_task->kill_tree();
    fs::remove_all(m_local + "/job");
    ASSERT_EQ(::mkdir((m_local + "/job").c_str(), 0777), 0);
    ASSERT_EQ(::chown((m_local + "/job").c_str(), k_uid + 1, k_gid), 0);
    ASSERT_EQ(::chmod((m_local + "/job").c_str(), 0777), 0);
    m_task->renew(m_task->output_name());
    const auto restored = call_restore(*m_task, m_images.get(), m_tails.get());
    ASSERT_FALSE(restored);
    EXPECT_NE(restored.error().what.find("belongs to another user"), std::string::npos)
        << restored.error().what;
    EXPECT_NE(restored.error().hint.find("have an admin remove it"), std::string::npos)
        << "the user cannot, in a directory such as /tmp: " << restored.error().hint;
    EXPECT_TRUE(fs::is_empty(m_local + "/job"));
}

TEST_F(Local, ALinkInPlaceOfADirectoryIsRefused) {
    m_call.leave_stopped = true;
    ASSERT_OK(call_dump(*m_task, m_images.get(), m_call));
    m_task->kill_tree();
    fs::rename(m_local + "/job", m_local + "/was");
    fs::create_symlink("was", m_local + "/job");
    m_task->renew(m_task->output_name());
    const auto restored = call_restore(*m_task, m_images.get(), m_tails.get());
    ASSERT_FALSE(restored);
    EXPECT_NE(restored.error().what.find(m_local + "/job, a directory at the checkpoint, is none now"),
              std::string::npos)
        << restored.error().what;
    EXPECT_FALSE(restored.error().hint.empty());
}

TEST_F(Local, MoreThanTheLimitIsRefusedAndTheJobRunsOn) {
    m_call.node_local_limit = 4096;
    const auto dumped = call_dump(*m_task, m_images.get(), m_call);
    ASSERT_FALSE(dumped);
    EXPECT_EQ(dumped.error().code, Code::dump_refused);
    EXPECT_NE(dumped.error().what.find("4.0 KiB"), std::string::npos) << dumped.error().what;
    put_file(m_place + "/changed", "");
    put_file(m_place + "/go", "");
    EXPECT_EQ(m_task->report().value, 0);
    EXPECT_EQ(m_task->output(), "ready\nchanged\n[]\n");
}

} // namespace

} // namespace ckpt::testing
