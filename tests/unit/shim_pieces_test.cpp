// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "shim/absence.hpp"
#include "shim/ending.hpp"
#include "shim/exec_error.hpp"
#include "shim/job_environment.hpp"
#include "shim/path_lookup.hpp"
#include "shim/scope.hpp"
#include "shim/signals.hpp"

namespace ckpt {
namespace {

using wire::SignalScope;

// "group 15", "process 10", or "" while nothing is decided.
std::string next_of(ScopeJudge& judge, std::int64_t now) {
    const auto judged = judge.next(now);
    if (!judged) return "";
    return (judged->scope == SignalScope::group ? "group " : "process ") + std::to_string(judged->signal);
}

// ---- one process or the whole group ----

TEST(ShimScope, BothSawIt) {
    ScopeJudge judge(true);
    judge.shim_saw(SIGUSR1, 100);
    EXPECT_EQ(next_of(judge, 100), "");
    judge.canary_saw(SIGUSR1, 400);
    EXPECT_EQ(next_of(judge, 400), "group 10");
    EXPECT_EQ(next_of(judge, 400), "");
}

TEST(ShimScope, TheCanaryMayBeFirst) {
    ScopeJudge judge(true);
    judge.canary_saw(SIGUSR1, 100);
    judge.shim_saw(SIGUSR1, 103);
    EXPECT_EQ(next_of(judge, 103), "group 10");
}

TEST(ShimScope, OnlyTheShimSawIt) {
    ScopeJudge judge(true);
    judge.shim_saw(SIGUSR1, 100);
    EXPECT_FALSE(judge.wants_to_ask(101)) << "killpg may still be under way";
    EXPECT_EQ(judge.wait_ms(101), 1);
    ASSERT_TRUE(judge.wants_to_ask(102));
    judge.asked(102);
    EXPECT_FALSE(judge.wants_to_ask(102));
    EXPECT_EQ(next_of(judge, 500), "") << "the canary may have to wait for a processor";
    judge.answered();
    EXPECT_EQ(next_of(judge, 501), "process 10");
    EXPECT_FALSE(judge.wait_ms(501));
}

TEST(ShimScope, WhatCameAfterTheQuestionIsAskedAnew) {
    ScopeJudge judge(true);
    judge.shim_saw(SIGUSR1, 100);
    judge.asked(102);
    judge.shim_saw(SIGUSR2, 103);
    judge.answered();
    EXPECT_EQ(next_of(judge, 104), "process 10");
    EXPECT_EQ(next_of(judge, 104), "");
    EXPECT_TRUE(judge.wants_to_ask(105));
}

TEST(ShimScope, AnotherSignalOrAnOldReportDoesNotCount) {
    ScopeJudge judge(true);
    judge.canary_saw(SIGUSR1, 40);
    judge.shim_saw(SIGUSR1, 100);
    judge.canary_saw(SIGUSR2, 101);
    judge.asked(102);
    judge.answered();
    EXPECT_EQ(next_of(judge, 103), "process 10");
}

TEST(ShimScope, OneReportCountsForOneSignal) {
    ScopeJudge judge(true);
    judge.shim_saw(SIGUSR1, 100);
    judge.canary_saw(SIGUSR1, 100);
    judge.shim_saw(SIGUSR1, 101);
    EXPECT_EQ(next_of(judge, 101), "group 10");
    EXPECT_EQ(next_of(judge, 101), "");
    judge.asked(103);
    judge.answered();
    EXPECT_EQ(next_of(judge, 103), "process 10");
}

TEST(ShimScope, TheOrderIsKept) {
    ScopeJudge judge(true);
    judge.shim_saw(SIGCONT, 100);
    judge.shim_saw(SIGTERM, 101);
    judge.canary_saw(SIGTERM, 101);
    EXPECT_EQ(next_of(judge, 101), "") << "SIGCONT is still open";
    judge.asked(102);
    judge.answered();
    EXPECT_EQ(next_of(judge, 103), "process 18");
    EXPECT_EQ(next_of(judge, 103), "group 15");
}

TEST(ShimScope, ACanaryThatDoesNotAnswerHoldsNothingUp) {
    ScopeJudge judge(true);
    judge.shim_saw(SIGUSR1, 100);
    judge.asked(102);
    EXPECT_EQ(judge.wait_ms(102), 998);
    EXPECT_EQ(next_of(judge, 1100), "process 10");
    ScopeJudge none(false);
    none.shim_saw(SIGUSR1, 100);
    EXPECT_EQ(next_of(none, 100), "process 10");
}

// ---- the program, as slurmstepd looks for it ----

class ShimPath : public testing::Test {
protected:
    void SetUp() override {
        m_dir = testing::TempDir() + "/ckpt-path-" + std::to_string(::getpid());
        std::filesystem::create_directories(m_dir + "/a/prog");
        std::filesystem::create_directories(m_dir + "/b");
        std::ofstream(m_dir + "/b/prog") << "x"; // not executable, which slurmstepd does not look at
        std::filesystem::create_directories(m_dir + "/c");
        std::ofstream(m_dir + "/c/prog") << "x";
    }
    void TearDown() override { std::filesystem::remove_all(m_dir); }
    std::string m_dir;
};

TEST_F(ShimPath, AbsoluteNamesAreTakenAsTheyAre) {
    EXPECT_EQ(build_path("/no/such/file", "/bin"), "/no/such/file");
}

TEST_F(ShimPath, DottedNamesAreBelowTheWorkingDirectory) {
    const std::string cwd = std::filesystem::current_path();
    EXPECT_EQ(build_path("./prog", m_dir.c_str()), cwd + "/./prog");
    EXPECT_EQ(build_path("../prog", m_dir.c_str()), cwd + "/../prog");
    EXPECT_EQ(build_path(".hidden", m_dir.c_str()), cwd + "/.hidden");
}

TEST_F(ShimPath, TheFirstFileThatIsNoDirectory) {
    const std::string path = m_dir + "/none:" + m_dir + "/a::" + m_dir + "/b:" + m_dir + "/c";
    EXPECT_EQ(build_path("prog", path.c_str()), m_dir + "/b/prog");
}

TEST_F(ShimPath, WhatIsNotFoundIsLeftToTheWorkingDirectory) {
    EXPECT_EQ(build_path("prog", m_dir.c_str()), "prog");
    EXPECT_EQ(build_path("prog", ""), "prog");
    EXPECT_EQ(build_path("prog", nullptr), "prog");
    EXPECT_EQ(build_path("dir/prog", (m_dir + "/none").c_str()), "dir/prog");
}

TEST_F(ShimPath, NamesAreCutAsInSlurmstepd) {
    EXPECT_EQ(build_path("/" + std::string(PATH_MAX + 10, 'x'), "").size(), PATH_MAX - 1U);
}

// ---- failures of execve ----

TEST_F(ShimPath, ExecErrorsAreSlurmstepds) {
    EXPECT_EQ(exec_error(slurmstepd_on("n1"), "nosuchprog", ENOENT),
              "slurmstepd-n1: error: execve(): nosuchprog: No such file or directory\n");
    EXPECT_EQ(exec_error(slurmstepd_on("n1"), m_dir, EACCES),
              "slurmstepd-n1: error: execve(): " + m_dir + ": Permission denied\n");
    std::ofstream(m_dir + "/script") << "#!/no/such/interpreter -x\necho\n";
    EXPECT_EQ(exec_error(slurmstepd_on("n1"), m_dir + "/script", ENOENT),
              "slurmstepd-n1: error: execve(): bad interpreter(/no/such/interpreter -x): No such file or "
              "directory\n");
    EXPECT_EQ(exec_error(slurmstepd_on(nullptr), "x", E2BIG),
              "slurmstepd: error: execve(): x: Argument list too long\n");
    EXPECT_THAT(
        exec_error(dated(std::chrono::system_clock::from_time_t(86399) + std::chrono::milliseconds(7)), "x",
                   E2BIG),
        ::testing::MatchesRegex(
            "\\[19(69|70)-[0-9]+-[0-9]+T[0-9]+:[0-9]+:59[.]007\\] error: execve\\(\\): x: Arg.*\n"));
}

// ---- the end ----

TEST(ShimAbsence, IsLookedIntoLessAndLess) {
    Absence absence;
    EXPECT_FALSE(absence.wait_ms(0));
    absence.begin(1000, 10'000);
    std::int64_t now = 1100;
    int looks = 0;
    int complaints = 0;
    for (; now < 1'000'000; now += *absence.wait_ms(now)) {
        complaints += absence.complain_now(now) ? 1 : 0;
        if (!absence.is_time_to_look(now)) continue;
        absence.looked(now);
        ++looks;
    }
    EXPECT_GE(looks, 29 + 56 + 90);
    EXPECT_LE(looks, 31 + 60 + 96);
    EXPECT_EQ(complaints, 1);
    EXPECT_TRUE(absence.end());
}

TEST(ShimAbsence, ThatIsShortIsNoNews) {
    Absence absence;
    absence.begin(0, 10'000);
    EXPECT_FALSE(absence.complain_now(9999));
    EXPECT_FALSE(absence.end());
    EXPECT_FALSE(absence.lasts());
    EXPECT_FALSE(absence.wait_ms(9999));
}

TEST(ShimAbsence, GoesOnWhenWhoCameBackWentAgain) {
    Absence absence;
    absence.begin(0, 10'000);
    absence.begin(9000, 10'000);
    EXPECT_TRUE(absence.complain_now(10'000));
}

TEST(ShimAbsence, EndsWithWhoDoesNotKnowUs) {
    Absence absence;
    absence.begin(0, 10'000);
    absence.give_up();
    EXPECT_FALSE(absence.is_sought());
    EXPECT_TRUE(absence.complain_now(10'000));
    EXPECT_FALSE(absence.wait_ms(10'000));
}

TEST(ShimEnding, MirrorsTheApplication) {
    EXPECT_EQ(ending_of(W_EXITCODE(7, 0)).number, 7);
    EXPECT_FALSE(ending_of(W_EXITCODE(7, 0)).by_signal);
    EXPECT_EQ(ending_of(W_EXITCODE(0, SIGSEGV) | WCOREFLAG).number, SIGSEGV);
    EXPECT_TRUE(ending_of(W_EXITCODE(0, SIGSEGV)).by_signal);
}

TEST(ShimEnding, ATreeThatWasKilled) {
    EXPECT_EQ(ending_of(TreeEnd{}).number, SIGKILL);
    EXPECT_EQ(ending_of(TreeEnd{std::nullopt, true, false}).number, SIGTERM);
    EXPECT_EQ(ending_of(TreeEnd{std::nullopt, false, true}).number, SIGTERM);
    EXPECT_EQ(ending_of(TreeEnd{W_EXITCODE(3, 0), true, true}).number, 3);
}

int status_of(Ending ending) {
    const pid_t child = ::fork();
    if (child == 0) {
        (void)::signal(SIGTERM, SIG_IGN);
        block_all_signals();
        end_as(ending);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

TEST(ShimEnding, IsTheRealThing) {
    EXPECT_EQ(status_of({false, 0}), 0);
    EXPECT_EQ(status_of({false, 255}), W_EXITCODE(255, 0));
    for (const int signal : {SIGTERM, SIGKILL, SIGSEGV, SIGABRT, SIGHUP, SIGRTMIN + 3})
        EXPECT_EQ(status_of({true, signal}), signal) << "without a core";
}

// ---- signals ----

TEST(ShimSignals, TheMaskAsCkptInitReadsIt) {
    sigset_t set;
    ::sigemptyset(&set);
    EXPECT_EQ(mask_as_hex(set), "0");
    ::sigaddset(&set, SIGHUP);
    ::sigaddset(&set, SIGTERM);
    ::sigaddset(&set, 64);
    EXPECT_EQ(mask_as_hex(set), "8000000000004001");
}

TEST(ShimSignals, OnlyWhatSomebodySent) {
    const pid_t child = ::fork();
    if (child == 0) {
        block_all_signals();
        (void)::signal(SIGUSR1, SIG_IGN); // ignored ones arrive as well
        const auto signals = signal_descriptor(every_signal());
        (void)::raise(SIGUSR2); // our own
        if (::fork() == 0) {
            ::kill(::getppid(), SIGUSR1);
            ::_exit(0);
        }
        ::usleep(200'000); // its end (SIGCHLD) is the kernel's word to us
        const auto first = next_sent_signal(signals->get());
        const auto second = next_sent_signal(signals->get());
        ::_exit(first == SIGUSR1 && !second ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

// ---- what the environment says ----

TEST(ShimEnvironment, AStepsShimTakesWhatIsNotTheApplications) {
    EXPECT_FALSE(take_step_of_script());
    ::setenv("SLURM_CHECKPOINT_STAND_IN", "0123456789abcdef", 1);
    ASSERT_TRUE(take_step_of_script());
    ::setenv("SLURM_CHECKPOINT_STAND_IN", "0123456789abcdef", 1);
    ::setenv("SLURM_CHECKPOINT_UNBUFFERED", "1", 1);
    const auto step = take_step_of_script();
    ASSERT_TRUE(step);
    EXPECT_FALSE(step->whole_lines);
    EXPECT_EQ(std::getenv("SLURM_CHECKPOINT_STAND_IN"), nullptr);
    EXPECT_EQ(std::getenv("SLURM_CHECKPOINT_UNBUFFERED"), nullptr);
}

TEST(ShimEnvironment, WhatStandsForAScriptSaysSoToItsStandIn) {
    EXPECT_FALSE(stands_for_script());
    EXPECT_FALSE(is_restored_or_nothing());
    ::setenv("SLURM_CHECKPOINT_SCRIPT", "fresh", 1);
    EXPECT_TRUE(stands_for_script());
    EXPECT_FALSE(is_restored_or_nothing());
    ::setenv("SLURM_CHECKPOINT_SCRIPT", "restore", 1);
    EXPECT_TRUE(stands_for_script());
    EXPECT_TRUE(is_restored_or_nothing());
    EXPECT_STREQ(std::getenv("SLURM_CHECKPOINT_SCRIPT"), "restore");
    ::unsetenv("SLURM_CHECKPOINT_SCRIPT");
}

TEST(ShimEnvironment, GoingOnFromAnotherJobIsNoStartFromTheBeginning) {
    const char* option = "SLURM_SPANK__SLURM_SPANK_OPTION_checkpoint_checkpoint_restore";
    EXPECT_FALSE(is_restarted());
    for (const auto& [value, restarted] :
         {std::pair{"7", true}, {"7@2", true}, {"auto", false}, {"never", false}, {"", false}}) {
        ::setenv(option, value, 1);
        EXPECT_EQ(is_restarted(), restarted) << value;
    }
    ::unsetenv(option);
}

TEST(ShimEnvironment, TheBaselineIsWhatSlurmHasSet) {
    ::setenv("SLURM_A", "1", 1);
    ::setenv("SLURMD_B", "2", 1);
    ::setenv("MY_SLURM_C", "3", 1);
    const auto variables = slurm_variables();
    EXPECT_THAT(variables, testing::IsSupersetOf({"SLURM_A=1", "SLURMD_B=2"}));
    EXPECT_THAT(variables, testing::Not(testing::Contains("MY_SLURM_C=3")));
    for (const char* name : {"SLURM_A", "SLURMD_B", "MY_SLURM_C"})
        ::unsetenv(name);
}

} // namespace
} // namespace ckpt
