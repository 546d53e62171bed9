// SPDX-License-Identifier: GPL-2.0-or-later
// Standard output that Slurm has emptied at the restart, what is kept of cut output, and files that others
// have changed.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "testbed.hpp"

namespace ckpt::testing {

namespace {

using wire::InitStatus;
namespace fs = std::filesystem;

class Emptied : public CriuTest {
protected:
    void start(const std::string& script) {
        m_task = make_task();
        m_task->start("cd " + m_place + "; " + script);
        ASSERT_EQ(m_task->report().status, InitStatus::started);
        m_images = images_dir("gen-1");
    }

    void empty_output(const std::string& then) { put_file(m_place + "/" + m_task->output_name(), then); }

    [[nodiscard]] std::uintmax_t kept_bytes() const {
        std::uintmax_t bytes = 0;
        for (const auto& entry : fs::directory_iterator(m_root + "/tails"))
            if (entry.path().filename() != "index") bytes += entry.file_size();
        return bytes;
    }

    std::unique_ptr<Task> m_task;
    Fd m_images;
    DumpCall m_call;
};

constexpr const char* k_program =
    "echo first; echo second; while ! [ -e go ]; do sleep 0.05; done; echo third";

TEST_F(Emptied, IsCompleteAgain) {
    start(k_program);
    ASSERT_TRUE(eventually([&] { return m_task->output() == "first\nsecond\n"; }));
    m_call.output_is_emptied = true;
    for (const char* fresh :
         {"", "checkpoint: hello\n", "checkpoint: a line longer than what there was before\n"}) {
        const std::string name = std::string("gen-") + std::to_string(std::string(fresh).size());
        const std::string before = m_task->output();
        const Fd images = images_dir(name);
        ASSERT_OK(call_dump(*m_task, images.get(), m_call));
        m_task->kill_tree();
        empty_output(fresh);
        m_task->renew(m_task->output_name());
        ASSERT_OK(call_restore(*m_task, images.get(), m_tails.get()));
        EXPECT_EQ(m_task->output(), before + fresh);
    }
    const std::string before = m_task->output();
    put_file(m_place + "/go", "");
    EXPECT_EQ(m_task->report().status, InitStatus::ended);
    EXPECT_EQ(m_task->output(), before + "third\n");
}

TEST_F(Emptied, OnlyWhereSlurmDoesThat) {
    start(k_program);
    ASSERT_TRUE(eventually([&] { return m_task->output() == "first\nsecond\n"; }));
    ASSERT_OK(call_dump(*m_task, m_images.get(), m_call));
    m_task->kill_tree();
    empty_output("");
    m_task->renew(m_task->output_name());
    ASSERT_OK(call_restore(*m_task, m_images.get(), m_tails.get()));
    EXPECT_EQ(m_task->output(), "") << "a user who empties it means it";
}

TEST_F(Emptied, MoreThanTheLimitIsLostAndSaid) {
    start(k_program);
    ASSERT_TRUE(eventually([&] { return m_task->output() == "first\nsecond\n"; }));
    m_call.output_is_emptied = true;
    m_call.tail_limit = 7;
    ASSERT_OK(call_dump(*m_task, m_images.get(), m_call));
    m_task->kill_tree();
    empty_output("");
    m_task->renew(m_task->output_name());
    const auto restored = call_restore(*m_task, m_images.get(), m_tails.get());
    ASSERT_OK(restored);
    EXPECT_EQ(m_task->output(), "second\n");
    ASSERT_EQ(restored->notes.size(), 1U);
    EXPECT_NE(restored->notes[0].find(m_task->output_name()), std::string::npos) << restored->notes[0];
}

TEST_F(Emptied, OfWhatIsCutTheNewestIsKept) {
    start("for ((i = 1; ; i++)); do echo $i; sleep 0.01; done");
    ASSERT_TRUE(eventually([&] { return m_task->output().size() > 20; }));
    ASSERT_OK(call_dump(*m_task, m_images.get(), m_call));
    const std::size_t cut = m_task->output().size();
    ASSERT_TRUE(eventually([&] { return m_task->output().size() > cut + 100; }));
    m_task->kill_tree();
    m_task->renew(m_task->output_name());
    RestoreCall call;
    call.tail_limit = 50;
    ASSERT_OK(call_restore(*m_task, m_images.get(), m_tails.get(), call));
    EXPECT_EQ(kept_bytes(), 50U);
    std::ifstream index(m_root + "/tails/index");
    const std::string text{std::istreambuf_iterator<char>(index), {}};
    EXPECT_NE(text.find("bytes before it not kept"), std::string::npos) << text;
}

// What cannot be put in front is no reason to keep the job from going on.
TEST_F(Emptied, MoreFreshOutputThanCanBeMovedIsLeftAndSaid) {
    start(k_program);
    ASSERT_TRUE(eventually([&] { return m_task->output() == "first\nsecond\n"; }));
    m_call.output_is_emptied = true;
    ASSERT_OK(call_dump(*m_task, m_images.get(), m_call));
    m_task->kill_tree();
    const std::string fresh(17 << 20, 'x');
    empty_output(fresh);
    m_task->renew(m_task->output_name());
    const auto restored = call_restore(*m_task, m_images.get(), m_tails.get());
    ASSERT_OK(restored);
    EXPECT_TRUE(m_task->output() == fresh);
    ASSERT_EQ(restored->notes.size(), 1U);
    EXPECT_NE(restored->notes[0].find("is not put back"), std::string::npos) << restored->notes[0];
}

TEST_F(Emptied, OnlyTheEndOfItIsPutInFrontOnce) {
    start(k_program);
    ASSERT_TRUE(eventually([&] { return m_task->output() == "first\nsecond\n"; }));
    m_call.output_is_emptied = true;
    m_call.tail_limit = 7;
    ASSERT_OK(call_dump(*m_task, m_images.get(), m_call));
    m_task->kill_tree();
    empty_output("second\nby an earlier restore\n");
    m_task->renew(m_task->output_name());
    ASSERT_OK(call_restore(*m_task, m_images.get(), m_tails.get()));
    EXPECT_EQ(m_task->output(), "second\nby an earlier restore\n");
}

constexpr const char* k_writer =
    "exec 3>>log; echo one >&3; echo ready; while ! [ -e go ]; do sleep 0.05; done; echo two >&3";

TEST_F(Emptied, AChangedFileIsRefusedOrIgnored) {
    start(k_writer);
    ASSERT_TRUE(eventually([&] { return m_task->output() == "ready\n"; }));
    ASSERT_OK(call_dump(*m_task, m_images.get(), m_call));
    m_task->kill_tree();
    put_file(m_place + "/other", "rotated\n");
    {
        const AsUser as_user;
        ASSERT_EQ(::rename((m_place + "/other").c_str(), (m_place + "/log").c_str()), 0);
    }
    m_task->renew(m_task->output_name());
    const auto refused = call_restore(*m_task, m_images.get(), m_tails.get());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::rollback_refused);
    RestoreCall ignore;
    ignore.ignore_changed = true;
    const auto restored = call_restore(*m_task, m_images.get(), m_tails.get(), ignore);
    ASSERT_OK(restored);
    ASSERT_EQ(restored->notes.size(), 1U);
    EXPECT_NE(restored->notes[0].find("/log was replaced"), std::string::npos) << restored->notes[0];
    put_file(m_place + "/go", "");
    EXPECT_EQ(m_task->report().status, InitStatus::ended);
    EXPECT_EQ(file_text(m_place + "/log"), "rotated\ntwo\n");
}

TEST_F(Emptied, NothingIsCutWhereTheUserSaysSo) {
    start(k_writer);
    ASSERT_TRUE(eventually([&] { return m_task->output() == "ready\n"; }));
    m_call.files = wire::Files::none;
    ASSERT_OK(call_dump(*m_task, m_images.get(), m_call));
    m_task->kill_tree();
    put_file(m_place + "/log", "one\nmore\n");
    m_task->renew(m_task->output_name());
    RestoreCall call;
    call.files = wire::Files::none;
    ASSERT_OK(call_restore(*m_task, m_images.get(), m_tails.get(), call));
    put_file(m_place + "/go", "");
    EXPECT_EQ(m_task->report().status, InitStatus::ended);
    EXPECT_EQ(file_text(m_place + "/log"), "one\nmore\ntwo\n");
}

} // namespace

} // namespace ckpt::testing
