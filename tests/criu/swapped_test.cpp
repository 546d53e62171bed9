// SPDX-License-Identifier: GPL-2.0-or-later
// A job works in a directory that lies in somebody else's, who puts something else in its place before the
// job is restored.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "testbed.hpp"

namespace ckpt::testing {

namespace {

using wire::InitStatus;
namespace fs = std::filesystem;

constexpr const char* k_program = R"py(
import os, sys, time
db = os.open(sys.argv[1] + "/db", os.O_RDWR | os.O_CREAT, 0o600); os.pwrite(db, b"SQLite format 3\0" + b"7" * 1000, 0)
log = open(sys.argv[1] + "/log", "a"); log.write("a line\n"); log.flush()
print("ready", flush=True)
while not os.path.exists("go"): time.sleep(0.02)
print(os.pread(db, 1, 16).decode(), flush=True)
)py";

const std::map<std::string, std::string> k_precious = {{"db", "a year of work"}, {"db-wal", "more of it"}};

class Swapped : public CriuTest {
protected:
    void SetUp() override {
        CriuTest::SetUp();
        if (IsSkipped()) return;
        m_bobs = m_root + "/bobs";
        m_pub = m_bobs + "/pub";
        m_own = m_root + "/own";
        make_dir(m_bobs, k_uid + 1, 0755);
        make_dir(m_pub, k_uid + 1, 0777);
        make_dir(m_own, k_uid, 0700);
        for (const auto& [name, text] : k_precious)
            put_file(m_own + "/" + name, text);
        put_file(m_place + "/program.py", k_program);
        m_task = make_task();
        m_task->start("cd " + m_place + "; exec /usr/bin/python3 program.py " + m_pub);
        ASSERT_EQ(m_task->report().status, InitStatus::started);
        ASSERT_TRUE(eventually([&] { return m_task->output() == "ready\n"; })) << m_task->output();
        m_images = images_dir("gen-1");
        DumpCall stop;
        stop.leave_stopped = true;
        stop.files = wire::Files::copy;
        ASSERT_OK(call_dump(*m_task, m_images.get(), stop));
        m_task->kill_tree();
        m_task->renew(m_task->output_name());
    }

    static void make_dir(const std::string& path, uid_t uid, mode_t mode) {
        ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
        ASSERT_EQ(::chown(path.c_str(), uid, k_gid), 0);
        ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    }

    // Even an admin's word that changed files are put back is none for other files.
    void expect_refused(wire::Files files, const std::string& why, const std::string& where) {
        RestoreCall call;
        call.tree_was_stopped = true;
        call.ignore_changed = true;
        call.files = files;
        const auto restored = call_restore(*m_task, m_images.get(), m_tails.get(), call);
        ASSERT_FALSE(restored);
        EXPECT_EQ(restored.error().code, Code::rollback_refused);
        EXPECT_NE(restored.error().what.find(why), std::string::npos) << restored.error().what;
        std::map<std::string, std::string> now;
        const AsUser as_user;
        for (const auto& entry : fs::directory_iterator(where))
            now[entry.path().filename()] = file_text(entry.path());
        EXPECT_EQ(now, k_precious);
    }

    std::string m_bobs; // bob's
    std::string m_pub;  // in it, for everybody
    std::string m_own;  // the user's, with nothing of the job
    std::unique_ptr<Task> m_task;
    Fd m_images;
};

TEST_F(Swapped, ALinkToADirectoryOfTheUsers) {
    fs::rename(m_pub, m_pub + ".old");
    ASSERT_EQ(::symlink(m_own.c_str(), m_pub.c_str()), 0);
    ASSERT_EQ(::lchown(m_pub.c_str(), k_uid + 1, k_gid), 0);
    expect_refused(wire::Files::copy, m_pub + " is a symbolic link of another user's", m_own);
    expect_refused(wire::Files::append, m_pub + " is a symbolic link of another user's", m_own);
}

TEST_F(Swapped, AnotherDirectoryOfTheUsers) {
    fs::rename(m_pub, m_pub + ".old");
    fs::rename(m_own, m_pub);
    expect_refused(wire::Files::copy, m_pub + " is not the directory that it was", m_pub);
}

// Colleagues' directories are used every day.
TEST_F(Swapped, NothingAtAll) {
    put_file(m_pub + "/db", "overwritten");
    RestoreCall call;
    call.tree_was_stopped = true;
    call.ignore_changed = true;
    call.files = wire::Files::copy;
    ASSERT_OK(call_restore(*m_task, m_images.get(), m_tails.get(), call));
    put_file(m_place + "/go", "");
    EXPECT_EQ(WEXITSTATUS(m_task->report().value), 0);
    EXPECT_EQ(m_task->output(), "ready\n7\n");
}

} // namespace

} // namespace ckpt::testing
