// SPDX-License-Identifier: GPL-2.0-or-later
// --checkpoint-files=copy: files that a program writes to in place go back to the cut, whatever the program
// or others have made of them since.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "testbed.hpp"

namespace ckpt::testing {

namespace {

using wire::InitStatus;
namespace fs = std::filesystem;

// A journalled database, another in WAL mode that stays open, a file of records changed by pwrite and one
// changed through a mapping. Says "ready" in the middle of a transaction, goes on with "go", says what it has
// found in the end.
constexpr const char* k_program = R"py(
import mmap, os, sqlite3, sys, time
home = os.getcwd()
def wait(name):
    while not os.path.exists(home + "/" + name): time.sleep(0.02)
journalled = sqlite3.connect("journalled.db", isolation_level=None)
walled = sqlite3.connect("walled.db", isolation_level=None); walled.execute("PRAGMA journal_mode=WAL")
for db in journalled, walled:
    db.execute("CREATE TABLE t (i INTEGER PRIMARY KEY, text TEXT)"); db.execute("PRAGMA cache_size=4")
records = os.open("records", os.O_RDWR | os.O_CREAT, 0o640); os.pwrite(records, b"0" * 300000, 0)
mapped = os.open("mapped", os.O_RDWR | os.O_CREAT, 0o600); os.ftruncate(mapped, 1 << 20)
shared = mmap.mmap(mapped, 1 << 20); os.close(mapped)
def step(n, between=lambda: None):
    for db in journalled, walled:
        db.execute("BEGIN")
        for i in range(40): db.execute("INSERT INTO t (text) VALUES (?)", (f"{n} {i} " + "x" * 2000,))
        db.execute("UPDATE t SET text = text || ? WHERE i % 7 = 0", (str(n),))
    os.pwrite(records, b"%d" % (n % 10), n * 70000 % 300000); shared[n * 999:n * 999 + 4] = b"%04d" % n
    between()
    for db in journalled, walled: db.execute("COMMIT")
def at_cut():
    print("ready", flush=True); wait("on")
for n in range(1, 4): step(n)
step(4, at_cut)
for n in range(5, 9): step(n)
os.ftruncate(records, 250000)
print("on", flush=True); wait("go")
found = [db.execute("SELECT count(*), sum(length(text)) FROM t").fetchone() for db in (journalled, walled)]
checks = [sqlite3.connect(name).execute("PRAGMA integrity_check").fetchone()[0] for name in ("journalled.db", "walled.db")]
print(found, checks, hash(open("records", "rb").read()), hash(open("mapped", "rb").read()), flush=True)
)py";

class Copy : public CriuTest {
protected:
    std::unique_ptr<Task> start() {
        auto task = make_task();
        put_file(m_place + "/program.py", k_program);
        task->start("cd " + m_place + "; export PYTHONHASHSEED=0; exec /usr/bin/python3 program.py");
        EXPECT_EQ(task->report().status, InitStatus::started);
        EXPECT_TRUE(eventually([&] { return task->output() == "ready\n"; })) << task->output();
        return task;
    }

    void forget() {
        const AsUser as_user;
        for (const char* name :
             {"on", "go", "journalled.db", "walled.db", "journalled.db-journal", "records", "mapped"})
            fs::remove(m_place + "/" + name);
    }

    std::string finish(Task& task) {
        put_file(m_place + "/on", "");
        put_file(m_place + "/go", "");
        const auto ended = task.report();
        EXPECT_EQ(ended.status, InitStatus::ended);
        EXPECT_EQ(WEXITSTATUS(ended.value), 0) << task.output();
        const std::string output = task.output();
        for (const auto& entry : fs::directory_iterator(m_place))
            EXPECT_FALSE(entry.path().filename().string().starts_with(".ckpt-")) << entry.path();
        return output;
    }

    // What the program prints when nothing disturbs it.
    std::string undisturbed() {
        const auto task = start();
        std::string output = finish(*task);
        EXPECT_NE(output.find("['ok', 'ok']"), std::string::npos) << output;
        forget();
        return output;
    }

    [[nodiscard]] std::map<std::string, std::string> contents() const {
        const AsUser as_user;
        std::map<std::string, std::string> all;
        for (const auto& entry : fs::directory_iterator(m_place))
            if (entry.is_regular_file() && !entry.path().filename().string().starts_with("ckpt-test-"))
                all[entry.path().filename()] = text_of(entry.path());
        return all;
    }

    // A restore has come so far that its tree has the files.
    [[nodiscard]] bool is_finished() const { return has(".done"); }

    [[nodiscard]] bool has(const std::string& extension) const {
        const AsUser as_user;
        for (const auto& entry : fs::directory_iterator(m_place))
            if (entry.path().extension() == extension) return true;
        return false;
    }

    static std::string text_of(const fs::path& path) {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    static DumpCall copying(bool stop) {
        DumpCall call;
        call.files = wire::Files::copy;
        call.leave_stopped = stop;
        return call;
    }

    void go_on(Task& task) {
        put_file(m_place + "/on", "");
        ASSERT_TRUE(eventually([&] { return task.output() == "ready\non\n"; })) << task.output();
        task.kill_tree();
        const AsUser as_user;
        ASSERT_EQ(::unlink((m_place + "/on").c_str()), 0);
    }
};

TEST_F(Copy, AJobThatRanOnComesBackToTheCut) {
    const std::string expected = undisturbed();
    const auto task = start();
    const Fd images = images_dir("gen-1");
    ASSERT_OK(call_dump(*task, images.get(), copying(false)));
    go_on(*task);
    // as a program that was killed in its next transaction would leave it
    put_file(m_place + "/journalled.db-journal", std::string("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8));
    put_file(m_place + "/walled.db-journal", "there was none at the cut");
    task->renew(task->output_name());
    RestoreCall call;
    call.files = wire::Files::copy;
    ASSERT_OK(call_restore(*task, images.get(), m_tails.get(), call));
    {
        const AsUser as_user;
        EXPECT_FALSE(fs::exists(m_place + "/walled.db-journal"));
    }
    EXPECT_EQ(finish(*task), expected);
}

TEST_F(Copy, AStoppedJobFindsItsFilesAsItLeftThem) {
    const std::string expected = undisturbed();
    const auto task = start();
    const Fd images = images_dir("gen-1");
    ASSERT_OK(call_dump(*task, images.get(), copying(true)));
    task->kill_tree();
    struct stat before{};
    {
        const AsUser as_user;
        ASSERT_EQ(::stat((m_place + "/records").c_str(), &before), 0);
    }
    task->renew(task->output_name());
    RestoreCall call;
    call.files = wire::Files::copy;
    call.tree_was_stopped = true;
    ASSERT_OK(call_restore(*task, images.get(), m_tails.get(), call));
    struct stat after{};
    {
        const AsUser as_user;
        ASSERT_EQ(::stat((m_place + "/records").c_str(), &after), 0);
    }
    EXPECT_EQ(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec) << "what has not changed is not written";
    EXPECT_EQ(finish(*task), expected);
}

TEST_F(Copy, AFailedRestoreTakesItBack) {
    const auto task = start();
    const Fd images = images_dir("gen-1");
    ASSERT_OK(call_dump(*task, images.get(), copying(false)));
    go_on(*task);
    put_file(m_place + "/journalled.db-journal", "a later journal");
    const std::string records = file_text(m_place + "/records");
    const std::string database = file_text(m_place + "/journalled.db");
    for (const auto& entry : fs::directory_iterator(m_root + "/gen-1"))
        if (entry.path().filename().string().starts_with("files.img")) fs::resize_file(entry.path(), 20);
    task->renew(task->output_name());
    ASSERT_FALSE(call_restore(*task, images.get(), m_tails.get()));
    EXPECT_EQ(file_text(m_place + "/records"), records);
    EXPECT_EQ(file_text(m_place + "/journalled.db"), database);
    EXPECT_EQ(file_text(m_place + "/journalled.db-journal"), "a later journal");
}

// Whenever it dies, everything is as it was or as at the cut, and the next one succeeds.
TEST_F(Copy, AKilledRestoreIsTakenBack) {
    const std::string expected = undisturbed();
    const auto task = start();
    const Fd images = images_dir("gen-1");
    ASSERT_OK(call_dump(*task, images.get(), copying(false)));
    go_on(*task);
    put_file(m_place + "/journalled.db-journal", "a later journal");
    const auto before = contents();
    RestoreCall call;
    call.files = wire::Files::copy;
    int killed = 0;
    for (int delay = 5; delay < 400; delay += 5) {
        task->renew(task->output_name());
        call.kill_engine_after = std::chrono::milliseconds(delay);
        if (call_restore(*task, images.get(), m_tails.get(), call)) break; // it was faster
        ++killed;
        ASSERT_TRUE(eventually([&] { return task->cgroup_pids().empty(); })) << delay;
        if (is_finished()) break; // the tree was there: now they are as at the cut
        ASSERT_OK(call_undo(images.get(), m_tails.get(), call));
        ASSERT_TRUE(contents() == before) << delay;
    }
    EXPECT_GT(killed, 2);
    task->kill_tree();
    task->renew(task->output_name());
    call.kill_engine_after = std::chrono::milliseconds(0);
    ASSERT_OK(call_restore(*task, images.get(), m_tails.get(), call));
    EXPECT_EQ(finish(*task), expected);
}

// At the moment at which files begin to change.
TEST_F(Copy, ARestoreThatIsKilledHalfWayIsTakenBack) {
    const std::string expected = undisturbed();
    const auto task = start();
    const Fd images = images_dir("gen-1");
    ASSERT_OK(call_dump(*task, images.get(), copying(false)));
    go_on(*task);
    const auto before = contents();
    RestoreCall call;
    call.files = wire::Files::copy;
    call.kill_engine_when = [&] { return has(".undo"); };
    for (int i = 0; i < 3; ++i) {
        task->renew(task->output_name());
        ASSERT_FALSE(call_restore(*task, images.get(), m_tails.get(), call));
        ASSERT_TRUE(has(".undo"));
        ASSERT_OK(call_undo(images.get(), m_tails.get(), call));
        ASSERT_TRUE(contents() == before);
    }
    task->renew(task->output_name());
    ASSERT_FALSE(call_restore(*task, images.get(), m_tails.get(), call));
    task->renew(task->output_name());
    call.kill_engine_when = nullptr; // and nobody has undone the last one
    ASSERT_OK(call_restore(*task, images.get(), m_tails.get(), call));
    EXPECT_EQ(finish(*task), expected);
}

// The same when nobody takes it back in between, as after the loss of a node.
TEST_F(Copy, TheNextRestoreTakesItBack) {
    const std::string expected = undisturbed();
    const auto task = start();
    const Fd images = images_dir("gen-1");
    ASSERT_OK(call_dump(*task, images.get(), copying(false)));
    go_on(*task);
    RestoreCall call;
    call.files = wire::Files::copy;
    for (int delay = 100; delay < 400; delay += 15) {
        task->renew(task->output_name());
        call.kill_engine_after = std::chrono::milliseconds(delay);
        if (call_restore(*task, images.get(), m_tails.get(), call)) break;
        ASSERT_TRUE(eventually([&] { return task->cgroup_pids().empty(); })) << delay;
    }
    task->kill_tree();
    task->renew(task->output_name());
    call.kill_engine_after = std::chrono::milliseconds(0);
    ASSERT_OK(call_restore(*task, images.get(), m_tails.get(), call));
    EXPECT_EQ(finish(*task), expected);
}

// The job is given up on, and another one goes on from its checkpoint.
TEST_F(Copy, AnotherJobsRestoreTakesItBack) {
    const std::string expected = undisturbed();
    const auto task = start();
    const Fd images = images_dir("gen-1");
    ASSERT_OK(call_dump(*task, images.get(), copying(false)));
    go_on(*task);
    RestoreCall call;
    call.files = wire::Files::copy;
    call.kill_engine_when = [&] { return has(".undo"); };
    task->renew(task->output_name());
    ASSERT_FALSE(call_restore(*task, images.get(), m_tails.get(), call));
    ASSERT_TRUE(has(".undo"));
    task->renew(task->output_name());
    call.kill_engine_when = nullptr;
    call.task_name = "8-4567cdef-1-0";
    ASSERT_OK(call_restore(*task, images.get(), m_tails.get(), call));
    EXPECT_EQ(finish(*task), expected) << "finish() looks for what was left, too";
}

TEST_F(Copy, WhatIsWrittenOverIsKeptUpToTheLimit) {
    const auto task = start();
    const Fd images = images_dir("gen-1");
    ASSERT_OK(call_dump(*task, images.get(), copying(false)));
    go_on(*task);
    task->renew(task->output_name());
    RestoreCall call;
    call.files = wire::Files::copy;
    call.tail_limit = 1000;
    const auto restored = call_restore(*task, images.get(), m_tails.get(), call);
    ASSERT_OK(restored);
    EXPECT_TRUE(std::ranges::any_of(restored->notes, [&](const std::string& note) {
        return note.find(m_place + "/journalled.db held before the restore") != std::string::npos &&
               note.find("are lost") != std::string::npos;
    })) << ::testing::PrintToString(restored->notes);
    EXPECT_NE(text_of(m_root + "/tails/index").find(m_place + "/records"), std::string::npos);
    finish(*task);
}

TEST_F(Copy, WhatSomebodyElseHasChangedIsRefusedOrPutBackByPolicy) {
    const std::string expected = undisturbed();
    const auto task = start();
    const Fd images = images_dir("gen-1");
    ASSERT_OK(call_dump(*task, images.get(), copying(true)));
    task->kill_tree();
    put_file(m_place + "/records", "somebody else's");
    task->renew(task->output_name());
    RestoreCall call;
    call.files = wire::Files::copy;
    call.tree_was_stopped = true;
    const auto refused = call_restore(*task, images.get(), m_tails.get(), call);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::rollback_refused);
    EXPECT_NE(refused.error().what.find("/records was changed"), std::string::npos) << refused.error().what;
    EXPECT_EQ(file_text(m_place + "/records"), "somebody else's");
    call.ignore_changed = true;
    const auto restored = call_restore(*task, images.get(), m_tails.get(), call);
    ASSERT_OK(restored);
    ASSERT_EQ(restored->notes.size(), 1U);
    EXPECT_NE(restored->notes[0].find("/records was changed"), std::string::npos) << restored->notes[0];
    std::string kept;
    for (const auto& entry : fs::directory_iterator(m_root + "/tails"))
        if (entry.path().filename() != "index") kept += text_of(entry.path());
    EXPECT_EQ(kept, "somebody else's");
    EXPECT_EQ(finish(*task), expected);
}

TEST_F(Copy, MoreThanTheLimitIsRefusedAndTheJobRunsOn) {
    const auto task = start();
    const Fd images = images_dir("gen-1");
    DumpCall call = copying(false);
    call.copy_limit = 4096;
    const auto dumped = call_dump(*task, images.get(), call);
    ASSERT_FALSE(dumped);
    EXPECT_EQ(dumped.error().code, Code::dump_refused);
    EXPECT_NE(dumped.error().what.find("4.0 KiB"), std::string::npos) << dumped.error().what;
    EXPECT_NE(finish(*task).find("['ok', 'ok']"), std::string::npos);
}

} // namespace

} // namespace ckpt::testing
