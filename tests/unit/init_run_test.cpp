// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-init run, without CRIU: what it tells, what it relays, what it reaps.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "os/files.hpp"
#include "os/process.hpp"
#include "os/procfs.hpp"
#include "wire/init_protocol.hpp"

namespace ckpt {

namespace {

using wire::InitStatus;
using wire::SignalScope;

class InitRun : public ::testing::Test {
protected:
    void start(const std::vector<std::string>& command, const std::string& mask = "0") {
        auto status = make_pipe();
        auto output = make_pipe();
        SpawnSpec spec;
        spec.path = CKPT_INIT;
        spec.argv = {"ckpt-init", "run", "--mask", mask, "--"};
        spec.argv.insert(spec.argv.end(), command.begin(), command.end());
        spec.environment = {"PATH=/usr/bin:/bin"};
        spec.fds = {{output->write.get(), 1}, {status->write.get(), wire::k_status_fd}};
        auto child = spawn(spec);
        ASSERT_TRUE(child) << child.error().what;
        m_init = std::move(*child);
        m_status = std::move(status->read);
        m_output = std::move(output->read);
    }

    void start_shell(const std::string& script, const std::string& mask = "0") {
        start({"/bin/sh", "sh", "-c", script}, mask);
    }

    wire::InitReport report(int limit_ms = 10000) {
        wire::InitReport report{static_cast<InitStatus>(0), -1};
        pollfd wait_for{m_status.get(), POLLIN, 0};
        if (::poll(&wait_for, 1, limit_ms) > 0) (void)!::read(m_status.get(), &report, sizeof report);
        return report;
    }

    // Polls for what the kernel announces to nobody; false after ten seconds.
    template <typename Condition>
    static bool eventually(Condition&& condition) {
        for (int tries = 0; tries < 1000; ++tries) {
            if (condition()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }

    std::string line() {
        std::string text;
        char c = '\0';
        pollfd wait_for{m_output.get(), POLLIN, 0};
        while (::poll(&wait_for, 1, 10000) > 0 && ::read(m_output.get(), &c, 1) == 1 && c != '\n')
            text += c;
        return text;
    }

    void queue(int number, SignalScope scope) const {
        siginfo_t info{};
        info.si_signo = number;
        info.si_code = SI_QUEUE;
        info.si_value.sival_int = static_cast<int>(scope);
        ASSERT_EQ(::syscall(SYS_pidfd_send_signal, m_init.pidfd(), number, &info, 0), 0);
    }

    Child m_init;
    Fd m_status;
    Fd m_output;
};

TEST_F(InitRun, ReportsStartAndEnd) {
    start_shell("echo hello; exit 7");
    const auto started = report();
    EXPECT_EQ(started.status, InitStatus::started);
    EXPECT_GT(started.value, 1);
    EXPECT_EQ(line(), "hello");
    const auto ended = report();
    EXPECT_EQ(ended.status, InitStatus::ended);
    EXPECT_TRUE(WIFEXITED(ended.value));
    EXPECT_EQ(WEXITSTATUS(ended.value), 7);
    EXPECT_TRUE(m_init.wait(std::chrono::seconds(10)));
}

TEST_F(InitRun, ReportsAFailedExec) {
    start({"/nonexistent/program", "program"});
    const auto failed = report();
    EXPECT_EQ(failed.status, InitStatus::exec_failed);
    EXPECT_EQ(failed.value, ENOENT);
    EXPECT_TRUE(m_init.wait(std::chrono::seconds(10)));
    start({"/etc/passwd", "passwd"});
    EXPECT_EQ(report().value, EACCES);
}

TEST_F(InitRun, ReportsDeathBySignal) {
    start_shell("kill -KILL $$");
    EXPECT_EQ(report().status, InitStatus::started);
    const auto ended = report();
    EXPECT_EQ(ended.status, InitStatus::ended);
    EXPECT_TRUE(WIFSIGNALED(ended.value));
    EXPECT_EQ(WTERMSIG(ended.value), SIGKILL);
}

TEST_F(InitRun, RelaysQueuedSignalsOnly) {
    start_shell(
        "trap 'echo usr1' USR1; trap 'echo term; exit 3' TERM; echo ready; while :; do sleep 0.01; done");
    EXPECT_EQ(report().status, InitStatus::started);
    EXPECT_EQ(line(), "ready");
    ASSERT_TRUE(signal_pidfd(m_init.pidfd(), SIGUSR1)); // as kill(1) would send it
    ASSERT_TRUE(signal_pidfd(m_init.pidfd(), SIGTERM));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    queue(SIGUSR1, SignalScope::process);
    EXPECT_EQ(line(), "usr1");
    queue(SIGTERM, SignalScope::process);
    EXPECT_EQ(line(), "term");
    EXPECT_EQ(WEXITSTATUS(report().value), 3);
}

// bash in `wait` would lose one of them if they became pending at once (trap.c:trap_handler).
TEST_F(InitRun, TwoSignalsInARowBothReachAShellThatWaits) {
    start({"/bin/bash", "bash", "-c",
           "trap 'echo usr1' USR1; trap 'echo cont' CONT; sleep 1000 & echo ready; "
           "while kill -0 $!; do wait $!; done 2>/dev/null"});
    EXPECT_EQ(report().status, InitStatus::started);
    ASSERT_EQ(line(), "ready");
    for (int round = 0; round < 30; ++round) {
        queue(SIGUSR1, SignalScope::process);
        queue(SIGCONT, SignalScope::process);
        const std::string first = line();
        const std::string second = line();
        ASSERT_TRUE((first == "usr1" && second == "cont") || (first == "cont" && second == "usr1")) << round;
    }
    queue(SIGTERM, SignalScope::group);
    EXPECT_EQ(WTERMSIG(report().value), SIGTERM);
}

TEST_F(InitRun, AGroupSignalReachesTheWholeGroup) {
    start_shell("trap 'wait; echo parent; exit 0' USR1; " // before the child can say that it is ready
                "sh -c 'trap \"echo child; exit\" USR1; echo ready; while :; do sleep 0.01; done' & "
                "while :; do sleep 0.01; done");
    EXPECT_EQ(report().status, InitStatus::started);
    EXPECT_EQ(line(), "ready");
    queue(SIGUSR1, SignalScope::group);
    EXPECT_EQ(line(), "child");
    EXPECT_EQ(line(), "parent");
    EXPECT_EQ(report().status, InitStatus::ended);
}

TEST_F(InitRun, StopsAndContinuesTheGroup) {
    // no child: a shell whose vforked child is stopped before its exec waits for it in state D
    start_shell("trap 'echo done; exit 0' CONT; echo ready; while :; do :; done");
    const auto started = report();
    EXPECT_EQ(line(), "ready");
    queue(SIGTSTP, SignalScope::group); // would be ignored in an orphaned process group
    EXPECT_TRUE(eventually([&] { return process_info(started.value)->state == 'T'; }));
    queue(SIGCONT, SignalScope::group);
    EXPECT_EQ(line(), "done");
}

TEST_F(InitRun, AdoptsAndReapsOrphans) {
    start_shell("(sh -c 'echo $$; exec sleep 1000' &) ; exec sleep 1000");
    EXPECT_EQ(report().status, InitStatus::started);
    const pid_t orphan = std::stoi(line());
    EXPECT_TRUE(eventually([&] {
        const auto info = process_info(orphan);
        return !info || info->ppid == m_init.pid();
    }));
    ::kill(orphan, SIGKILL);
    EXPECT_TRUE(eventually([&] { return !process_info(orphan); })); // not even a zombie
}

TEST_F(InitRun, GivesTheApplicationItsSignalMask) {
    // not through a shell: dash(1) unblocks everything
    start({"/bin/grep", "grep", "-h", "-E", "^Sig(Blk|Ign):", "/proc/self/status"},
          "4001"); // HUP and TERM blocked
    EXPECT_EQ(report().status, InitStatus::started);
    EXPECT_EQ(line(), "SigBlk:\t0000000000004001");
    EXPECT_EQ(line(), "SigIgn:\t0000000000000000");
}

TEST_F(InitRun, GivesTheApplicationItsSessionAndNoDescriptorOfOurs) {
    start_shell("ls /proc/self/fd | tr '\\n' ' '; echo; cut -d' ' -f5,6 /proc/self/stat");
    const auto started = report();
    EXPECT_EQ(line(), "0 1 2 3 "); // 3 is ls's own
    EXPECT_EQ(line(), std::to_string(started.value) + " " + std::to_string(m_init.pid()));
}

TEST_F(InitRun, HoldsNothingItself) {
    start_shell("echo ready; sleep 5");
    (void)report();
    EXPECT_EQ(line(), "ready");
    const std::string fds = "/proc/" + std::to_string(m_init.pid()) + "/fd/";
    std::array<char, 64> target{};
    for (const char* fd : {"0", "1", "2"}) {
        const ssize_t n = ::readlink((fds + fd).c_str(), target.data(), target.size());
        EXPECT_EQ(std::string(target.data(), static_cast<std::size_t>(n)), "/dev/null");
    }
    EXPECT_NE(::access((fds + "3").c_str(), F_OK), 0);
    EXPECT_EQ(::access((fds + std::to_string(wire::k_status_fd)).c_str(), F_OK), 0);
}

TEST(InitArguments, WrongOnesAreRefused) {
    for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                  {"x"},
                                                  {"run"},
                                                  {"run", "--mask", "zz", "--", "/bin/true", "true"},
                                                  {"run", "--mask", "0", "/bin/true", "true", "x"},
                                                  {"pid1", "2", "3", "0", "0"}}) {
        SpawnSpec spec;
        spec.path = CKPT_INIT;
        spec.argv = {"ckpt-init"};
        spec.argv.insert(spec.argv.end(), words.begin(), words.end());
        auto child = spawn(spec);
        ASSERT_TRUE(child);
        const auto status = child->wait(std::chrono::seconds(10));
        ASSERT_TRUE(status);
        EXPECT_EQ(WEXITSTATUS(*status), 127);
    }
}

} // namespace

} // namespace ckpt
