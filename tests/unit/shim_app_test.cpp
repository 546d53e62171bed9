// SPDX-License-Identifier: GPL-2.0-or-later
// Which processes are asked to save themselves, and how the shim sees that they have.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "os/pending.hpp"
#include "os/procfs.hpp"
#include "shim/app_ask.hpp"
#include "shim/app_targets.hpp"
#include "shim/signals.hpp"

namespace ckpt {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Kind = AppProcess::Kind;

constexpr pid_t k_root = 10;           // ckpt-init
const AppAsk::StandIns k_some{{1, 7}}; // an srun runs

TEST(AppTargets, AProgramIsAskedAndItsShellIsNot) {
    const std::vector<AppProcess> tree{{11, 10, Kind::plain, false}, {12, 11, Kind::plain, true}};
    const AppTargets targets = app_targets(k_root, tree);
    EXPECT_THAT(targets.asked, ElementsAre(12));
    EXPECT_THAT(targets.ancestors, ElementsAre(11));
}

TEST(AppTargets, MpirunIsAskedForAllItsRanks) {
    const std::vector<AppProcess> tree{{11, 10, Kind::plain, false},
                                       {12, 11, Kind::plain, true},
                                       {13, 12, Kind::plain, true},
                                       {14, 12, Kind::plain, true}};
    EXPECT_THAT(app_targets(k_root, tree).asked, ElementsAre(12));
}

TEST(AppTargets, WhatAPipeLeadsToIsNeitherAskedNorStopped) {
    const std::vector<AppProcess> tree{
        {11, 10, Kind::plain, false}, {12, 11, Kind::plain, true}, {13, 11, Kind::plain, false}};
    const AppTargets targets = app_targets(k_root, tree);
    EXPECT_THAT(targets.asked, ElementsAre(12));
    EXPECT_THAT(targets.ancestors, ElementsAre(11));
}

TEST(AppTargets, AScriptWithATrapTellsItsProgramsItself) {
    const std::vector<AppProcess> tree{{11, 10, Kind::plain, true}, {12, 11, Kind::plain, true}};
    const AppTargets targets = app_targets(k_root, tree);
    EXPECT_THAT(targets.asked, ElementsAre(11));
    EXPECT_THAT(targets.ancestors, IsEmpty());
}

TEST(AppTargets, ACleanupTrapDoesNotMakeAShellTheProgram) {
    const std::vector<AppProcess> with{{11, 10, Kind::shell_with_exit_trap, true},
                                       {12, 11, Kind::plain, true}};
    EXPECT_THAT(app_targets(k_root, with).asked, ElementsAre(12));
    EXPECT_THAT(app_targets(k_root, with).ancestors, ElementsAre(11));
    const std::vector<AppProcess> alone{{11, 10, Kind::shell_with_exit_trap, true},
                                        {12, 11, Kind::plain, false}};
    EXPECT_THAT(app_targets(k_root, alone).asked, ElementsAre(11)) << "it may have a trap for it";
}

TEST(AppTargets, AStandInIsSkippedAndARealSrunIsNot) {
    const std::vector<AppProcess> tree{
        {11, 10, Kind::plain, false}, {12, 11, Kind::stand_in, true}, {13, 11, Kind::srun, false}};
    EXPECT_THAT(app_targets(k_root, tree).asked, ElementsAre(13));
    EXPECT_THAT(app_targets(k_root, tree).stand_ins, ElementsAre(12));
    EXPECT_THAT(app_targets(k_root, tree).ancestors, ElementsAre(11));
}

TEST(AppTargets, AnSrunBelowMpirunOrATrapIsTheirsToTell) {
    const std::vector<AppProcess> tree{{11, 10, Kind::plain, true}, {12, 11, Kind::stand_in, true}};
    EXPECT_THAT(app_targets(k_root, tree).asked, ElementsAre(11));
    EXPECT_THAT(app_targets(k_root, tree).stand_ins, IsEmpty());
    const std::vector<AppProcess> cleanup{{11, 10, Kind::shell_with_exit_trap, true},
                                          {12, 11, Kind::stand_in, true}};
    EXPECT_THAT(app_targets(k_root, cleanup).asked, IsEmpty()) << "the tasks are asked";
    EXPECT_THAT(app_targets(k_root, cleanup).stand_ins, ElementsAre(12));
}

TEST(AppTargets, NobodyIsStoppedWhereNobodyIsAsked) {
    const std::vector<AppProcess> tree{{11, 10, Kind::plain, false}, {12, 11, Kind::plain, false}};
    EXPECT_EQ(app_targets(k_root, tree), AppTargets{});
    EXPECT_EQ(app_targets(k_root, {}), AppTargets{});
}

TEST(AppTargets, ShellsWithAnExitTrapAreKnown) {
    EXPECT_TRUE(is_caught_as_by_exit_trap(0x43817efb)); // of bash 5.2
    EXPECT_FALSE(is_caught_as_by_exit_trap(0x10202));
}

TEST(AppTargets, SrunPassesOnWhatItHasNoUseFor) {
    EXPECT_TRUE(srun_passes_on(SIGUSR1));
    EXPECT_FALSE(srun_passes_on(SIGTERM));
    EXPECT_FALSE(srun_passes_on(SIGINT));
    EXPECT_FALSE(srun_passes_on(SIGHUP)) << "it would end its step";
}

// A tree: the root, a shell that waits for its program, and the program, which handles SIGUSR1.
class AppAskTest : public testing::Test {
protected:
    static constexpr std::int64_t k_limit = 10'000;

    void start(bool handles, bool ends) {
        m_root = ::fork();
        if (m_root != 0) return await_program(handles);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (::fork() == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
            const pid_t program = ::fork();
            if (program == 0) be_program(handles, ends);
            ::waitpid(program, nullptr, 0);
            ::_exit(0);
        }
        for (;;)
            ::pause();
    }
    void TearDown() override {
        m_ask.run_on();
        ::kill(m_root, SIGKILL);
        ::waitpid(m_root, nullptr, 0);
    }

    [[noreturn]] static void be_program(bool handles, bool ends) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        ::prctl(PR_SET_NAME, "program");
        if (handles) (void)std::signal(SIGUSR1, ends ? [](int) { ::_exit(0); } : [](int) {});
        ::prctl(PR_SET_NAME, "ready");
        for (;;)
            ::pause();
    }

    static std::vector<pid_t> children(pid_t pid) {
        std::ifstream file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
        std::vector<pid_t> all;
        for (pid_t child = 0; file >> child;)
            all.push_back(child);
        return all;
    }

    void await_program(bool) {
        for (int i = 0; i < 1000; ++i) {
            const auto shells = children(m_root);
            const auto programs = shells.empty() ? std::vector<pid_t>() : children(shells[0]);
            const auto info =
                programs.empty() ? Result<ProcessInfo>(fail(Code::not_found, "")) : process_info(programs[0]);
            if (info && info->name == "ready") {
                m_shell = shells[0];
                m_program = programs[0];
                return;
            }
            ::poll(nullptr, 0, 10);
        }
        FAIL() << "the program does not start";
    }

    static char state(pid_t pid) {
        const auto info = process_info(pid);
        return info ? info->state : '?';
    }
    static bool comes_to(pid_t pid, char wanted) {
        for (int i = 0; i < 500; ++i) {
            if (state(pid) == wanted) return true;
            ::poll(nullptr, 0, 10);
        }
        return false;
    }

    std::optional<wire::AppAnswered> answer() {
        pollfd waiting{m_ask.descriptor(), POLLIN, 0};
        ::poll(&waiting, 1, 5000);
        return m_ask.take_answer(1);
    }

    AppAsk m_ask;
    pid_t m_root = 0;
    pid_t m_shell = 0;
    pid_t m_program = 0;
};

// A late SIGCONT, on its way through ckpt-init, would set the shell going again.
TEST_F(AppAskTest, WhatSlurmHasSentIsThroughBeforeAnythingIsStopped) {
    start(true, false);
    ::kill(m_root, SIGSTOP);
    EXPECT_TRUE(comes_to(m_root, 'T'));
    EXPECT_FALSE(has_handled_its_signals(m_root)) << "it is not waiting for one";
    ::kill(m_root, SIGCONT);
    EXPECT_TRUE(comes_to(m_root, 'S'));
    EXPECT_TRUE(has_handled_its_signals(m_root));
    m_ask.begin({1, SIGUSR1, k_limit, true, {}}, m_root, k_some, 0);
    EXPECT_TRUE(m_ask.take_asked(0));
    EXPECT_TRUE(comes_to(m_shell, 'T'));
}

TEST_F(AppAskTest, TheShellStandsStillWhenItsProgramHasEnded) {
    start(true, true);
    m_ask.begin({1, SIGUSR1, k_limit, true, {}}, m_root, k_some, 0);
    EXPECT_EQ(m_ask.take_asked(0).value().processes, 1U);
    EXPECT_EQ(answer().value().outcome, wire::AppOutcome::ended);
    EXPECT_EQ(state(m_shell), 'T') << "before its program has the signal";
    EXPECT_TRUE(m_ask.is_last());
}

TEST_F(AppAskTest, TheShellGoesOnWhenThatIsGivenUp) {
    start(true, false);
    m_ask.begin({1, SIGUSR1, k_limit, true, {}}, m_root, k_some, 0);
    EXPECT_EQ(m_ask.take_asked(0).value().processes, 1U);
    EXPECT_TRUE(comes_to(m_shell, 'T'));
    EXPECT_FALSE(m_ask.take_answer(k_limit - 1));
    EXPECT_EQ(m_ask.take_answer(k_limit).value().outcome, wire::AppOutcome::silent);
    m_ask.run_on();
    EXPECT_TRUE(comes_to(m_shell, 'S'));
    EXPECT_FALSE(m_ask.is_last());
}

TEST_F(AppAskTest, NothingIsStoppedAtAnInterval) {
    start(true, false);
    m_ask.begin({1, SIGUSR1, k_limit, false, {}}, m_root, k_some, 0);
    EXPECT_EQ(m_ask.take_asked(0).value().processes, 1U);
    EXPECT_TRUE(comes_to(m_shell, 'S'));
}

TEST_F(AppAskTest, WhoDoesNotHandleItDoesNotGetIt) {
    start(false, false);
    m_ask.begin({1, SIGUSR1, k_limit, true, {}}, m_root, {}, 0);
    EXPECT_FALSE(m_ask.take_asked(0)) << "it may just have been started";
    EXPECT_EQ(m_ask.take_asked(5000).value().processes, 0U);
    EXPECT_TRUE(comes_to(m_program, 'S')); // it lives
    EXPECT_TRUE(comes_to(m_shell, 'S'));
}

// Its end is told with its status.
TEST_F(AppAskTest, OfTheTreesFirstProcessOnlyTheEndIsTold) {
    start(true, true);
    m_ask.begin({1, SIGUSR1, k_limit, true, {}}, m_shell, k_some, 0); // which makes the program that
    EXPECT_EQ(m_ask.take_asked(0).value().processes, 1U);
    EXPECT_TRUE(comes_to(m_program, 'Z') || state(m_program) == '?');
    EXPECT_FALSE(answer());
    EXPECT_FALSE(m_ask.take_answer(k_limit));
    EXPECT_FALSE(m_ask.wait_ms(2));
}

TEST_F(AppAskTest, EverythingIsStoppedUntilItRunsOn) {
    start(true, false);
    m_ask.begin({1, SIGUSR1, k_limit, true, {}}, m_root, k_some, 0);
    EXPECT_TRUE(m_ask.take_asked(0));
    m_ask.stop_all(m_root);
    EXPECT_TRUE(comes_to(m_program, 'T'));
    EXPECT_TRUE(comes_to(m_shell, 'T'));
    EXPECT_NE(state(m_root), 'T');
    m_ask.run_on();
    EXPECT_TRUE(comes_to(m_program, 'S'));
    EXPECT_TRUE(comes_to(m_shell, 'S'));
}

TEST_F(AppAskTest, AMarkerThatCannotBeRemovedIsNoWordOfTheProgram) {
    start(true, false);
    const std::string marker = testing::TempDir() + "marker-dir-" + std::to_string(::getpid());
    std::filesystem::create_directory(marker);
    m_ask.begin({1, SIGUSR1, k_limit, true, marker}, m_root, k_some, 0);
    const auto asked = m_ask.take_asked(0);
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked->processes, 0U);
    EXPECT_THAT(asked->obstacle, testing::HasSubstr(marker));
    EXPECT_FALSE(m_ask.take_answer(1));
    std::filesystem::remove(marker);
}

TEST_F(AppAskTest, AnOldMarkerIsRemovedAndANewOneIsSeen) {
    start(true, false);
    const std::string marker = testing::TempDir() + "marker-" + std::to_string(::getpid());
    std::ofstream(marker) << "old";
    m_ask.begin({1, SIGUSR1, k_limit, false, marker}, m_root, k_some, 0);
    EXPECT_FALSE(std::filesystem::exists(marker));
    EXPECT_TRUE(m_ask.take_asked(0));
    EXPECT_FALSE(m_ask.take_answer(1));
    std::ofstream(marker) << "new";
    EXPECT_EQ(m_ask.take_answer(2).value().outcome, wire::AppOutcome::marked);
    EXPECT_FALSE(m_ask.take_answer(3)) << "it is said once";
    std::filesystem::remove(marker);
}

} // namespace
} // namespace ckpt
