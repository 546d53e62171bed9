// SPDX-License-Identifier: GPL-2.0-or-later
// The shim's loop as a process of its own, between a tree and a ckptd that this test plays.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <thread>

#include "os/files.hpp"
#include "os/process.hpp"
#include "os/socket.hpp"
#include "shim/serve.hpp"
#include "shim/signals.hpp"

namespace ckpt {
namespace {

using namespace std::chrono_literals;
using wire::SignalScope;

struct Seen {
    int signal = 0;
    int code = 0;
    int value = 0;
};

// The tree: reports each signal that reaches it and lives until it is killed.
[[noreturn]] void be_tree(int report) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    const sigset_t all = every_signal();
    for (;;) {
        siginfo_t info{};
        if (::sigwaitinfo(&all, &info) < 0) continue;
        const Seen seen{info.si_signo, info.si_code, info.si_value.sival_int};
        (void)!::write(report, &seen, sizeof seen);
    }
}

class ShimServe : public testing::Test {
protected:
    void SetUp() override {
        m_reports = *make_pipe();
        m_status = *make_pipe();
        m_stderr = *make_pipe();
        ::fcntl(m_stderr.read.get(), F_SETFL, O_NONBLOCK);
        block_all_signals(); // inherited, as from the shim's main()
        m_tree = ::fork();
        if (m_tree == 0) be_tree(m_reports.write.get());
    }
    void TearDown() override {
        for (const pid_t pid : {m_shim, m_tree}) {
            if (pid <= 0) continue;
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
        }
        sigset_t none;
        ::sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
    }

    void start(bool with_ckptd, int checkpoint_signal = 0) {
        auto pair = *make_socket_pair();
        m_ckptd = with_ckptd ? std::move(pair.first) : Fd();
        m_shim = ::fork();
        if (m_shim == 0) {
            ::setpgid(0, 0);
            m_ckptd.reset();
            m_status.write.reset();
            ::dup2(m_stderr.write.get(), STDERR_FILENO);
            Service(Service::Parts{with_ckptd ? Ckptd(std::move(pair.second)) : Ckptd(),
                                   Tree{*open_pidfd(m_tree), 0}, std::move(m_status.read), checkpoint_signal,
                                   m_lost, m_socket, m_complain_ms})
                .run();
        }
        ::setpgid(m_shim, m_shim);
        wait_for_canary();
    }

    // The shim is ready when its canary waits.
    void wait_for_canary() const {
        for (int i = 0; i < 200; ++i) {
            const std::string children =
                "/proc/" + std::to_string(m_shim) + "/task/" + std::to_string(m_shim) + "/children";
            const Fd file(::open(children.c_str(), O_RDONLY | O_CLOEXEC));
            if (file && !read_all(file.get(), 100)->empty()) break;
            std::this_thread::sleep_for(5ms);
        }
        std::this_thread::sleep_for(50ms);
    }

    // The next signal that reached the tree, signal 0 when none does within the time.
    Seen next_in_tree(std::chrono::milliseconds limit = 2000ms) const {
        pollfd waiting{m_reports.read.get(), POLLIN, 0};
        Seen seen;
        if (::poll(&waiting, 1, static_cast<int>(limit.count())) == 1)
            (void)!::read(m_reports.read.get(), &seen, sizeof seen);
        return seen;
    }

    template <typename M>
    void expect_from_shim(std::chrono::milliseconds limit = 2000ms) const {
        const auto packet = receive_packet(m_ckptd.get(), limit);
        ASSERT_TRUE(packet) << packet.error().what;
        EXPECT_TRUE(wire::decode<M>(packet->bytes));
    }
    void order(wire::Order what, const std::string& line = "") const {
        ASSERT_TRUE(send_packet(m_ckptd.get(), wire::encode(wire::ShimOrder{what, line})));
    }
    void tree_reports(int wait_status) const {
        const wire::InitReport report{wire::InitStatus::ended, wait_status};
        ASSERT_EQ(::write(m_status.write.get(), &report, sizeof report), static_cast<ssize_t>(sizeof report));
    }
    int end_of_shim() {
        int status = -1;
        for (int i = 0; i < 600; ++i) {
            if (::waitpid(m_shim, &status, WNOHANG) == m_shim) {
                m_shim = 0;
                return status;
            }
            std::this_thread::sleep_for(10ms);
        }
        return -1;
    }
    std::string said() const {
        std::array<char, 1000> text{};
        const ssize_t n = ::read(m_stderr.read.get(), text.data(), text.size());
        return n > 0 ? std::string(text.data(), static_cast<std::size_t>(n)) : std::string();
    }

    Pipe m_reports;
    Pipe m_status;
    Pipe m_stderr;
    Fd m_ckptd;
    bool m_lost = false;
    std::string m_socket = "/nonexistent/ckptd.sock";
    std::int64_t m_complain_ms = 0;
    pid_t m_tree = 0;
    pid_t m_shim = 0;
};

TEST_F(ShimServe, EndsAsTheApplication) {
    start(false);
    tree_reports(W_EXITCODE(7, 0));
    EXPECT_EQ(end_of_shim(), W_EXITCODE(7, 0));
}

TEST_F(ShimServe, EndsByTheApplicationsSignal) {
    start(false);
    tree_reports(SIGSEGV | WCOREFLAG);
    EXPECT_EQ(end_of_shim(), SIGSEGV);
}

TEST_F(ShimServe, ATreeThatIsKilledKillsTheShim) {
    start(false);
    ::kill(m_tree, SIGKILL);
    EXPECT_EQ(end_of_shim(), SIGKILL);
}

TEST_F(ShimServe, RelaysToTheProcess) {
    start(false);
    ::kill(m_shim, SIGUSR1);
    const Seen seen = next_in_tree();
    EXPECT_EQ(seen.signal, SIGUSR1);
    EXPECT_EQ(seen.code, SI_QUEUE);
    EXPECT_EQ(seen.value, static_cast<int>(SignalScope::process));
}

TEST_F(ShimServe, RelaysToTheGroup) {
    start(false);
    ::kill(-m_shim, SIGUSR1);
    EXPECT_EQ(next_in_tree().value, static_cast<int>(SignalScope::group));
}

TEST_F(ShimServe, RelaysEverySignalOnce) {
    start(false);
    for (const int signal :
         {SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT, SIGALRM, SIGPIPE, SIGCHLD, SIGRTMIN, SIGRTMAX}) {
        ::kill(m_shim, signal);
        EXPECT_EQ(next_in_tree().signal, signal);
    }
    EXPECT_EQ(next_in_tree(100ms).signal, 0);
}

TEST_F(ShimServe, TheCanaryDiesWithTheShim) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    start(false);
    const pid_t group = m_shim;
    ::kill(m_shim, SIGKILL);
    EXPECT_EQ(end_of_shim(), SIGKILL);
    // Its group is empty once whoever inherited the canary has reaped it, us if we are a subreaper.
    for (int i = 0; i < 200 && ::kill(-group, 0) == 0; ++i) {
        while (::waitpid(-group, nullptr, WNOHANG) > 0) {
        }
        std::this_thread::sleep_for(10ms);
    }
    EXPECT_NE(::kill(-group, 0), 0);
}

TEST_F(ShimServe, WithoutCkptdATermIsRelayed) {
    start(false);
    ::kill(m_shim, SIGTERM);
    EXPECT_EQ(next_in_tree().signal, SIGTERM);
}

TEST_F(ShimServe, ATermIsHeldBackUntilCkptdSaysRelay) {
    start(true);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
    order(wire::Order::wait);
    EXPECT_EQ(next_in_tree(3300ms).signal, 0) << "waiting has no limit of the shim's";
    order(wire::Order::relay);
    EXPECT_EQ(next_in_tree().signal, SIGTERM);
}

TEST_F(ShimServe, ASilentCkptdDoesNotKeepATerm) {
    start(true);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
    EXPECT_EQ(next_in_tree(1500ms).signal, 0);
    EXPECT_EQ(next_in_tree(3000ms).signal, SIGTERM);
}

TEST_F(ShimServe, ACkptdThatDiesReleasesTheTerm) {
    start(true);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
    order(wire::Order::wait);
    m_ckptd.reset();
    // it may have stopped the tree for its last checkpoint
    const int first = next_in_tree().signal;
    EXPECT_THAT((std::array{first, next_in_tree().signal}), testing::UnorderedElementsAre(SIGCONT, SIGTERM));
    tree_reports(W_EXITCODE(3, 0));
    EXPECT_EQ(end_of_shim(), W_EXITCODE(3, 0));
    EXPECT_THAT(said(), testing::HasSubstr("ckptd has ended"));
}

// A ckptd that comes back at a socket of this test's.
class ShimReturns : public ShimServe {
protected:
    void SetUp() override {
        ShimServe::SetUp();
        std::string name = (std::filesystem::temp_directory_path() / "ckpt-shim-XXXXXX").string();
        m_directory = ::mkdtemp(name.data());
        m_socket = m_directory + "/ckptd.sock";
        m_complain_ms = 60'000;
    }
    void TearDown() override {
        ShimServe::TearDown();
        std::filesystem::remove_all(m_directory);
    }
    void restart_ckptd() {
        m_ckptd.reset();
        const auto listener = listen_at(m_socket, 0600);
        ASSERT_TRUE(listener) << listener.error().what;
        pollfd waiting{listener->get(), POLLIN, 0};
        ASSERT_EQ(::poll(&waiting, 1, 5000), 1) << "it was not looked for";
        m_ckptd = std::move(*accept_from(listener->get()));
        const auto packet = receive_packet(m_ckptd.get(), 2s);
        ASSERT_TRUE(packet);
        m_hello = *wire::decode<wire::ShimHello>(packet->bytes);
        ASSERT_TRUE(m_hello.returning);
    }
    std::string m_directory;
    wire::ShimHello m_hello;
};

TEST_F(ShimReturns, WhenCkptdWentBeforeItHeardOfTheTree) {
    m_lost = true;
    start(false);
    restart_ckptd();
    order(wire::Order::known);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
}

TEST_F(ShimReturns, AsIfNothingHadBeen) {
    start(true);
    restart_ckptd();
    EXPECT_FALSE(m_hello.term_delivered);
    order(wire::Order::known);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
    EXPECT_EQ(next_in_tree(300ms).signal, 0);
    order(wire::Order::relay);
    EXPECT_EQ(next_in_tree().signal, SIGTERM);
    tree_reports(W_EXITCODE(5, 0));
    expect_from_shim<wire::TreeExited>();
    order(wire::Order::leave);
    EXPECT_EQ(end_of_shim(), W_EXITCODE(5, 0));
    EXPECT_EQ(said(), "");
}

TEST_F(ShimReturns, AndTellsOfATermThatItDelivered) {
    start(true);
    m_ckptd.reset();
    ::kill(m_shim, SIGTERM);
    EXPECT_EQ(next_in_tree().signal, SIGTERM);
    restart_ckptd();
    EXPECT_TRUE(m_hello.term_delivered);
}

TEST_F(ShimReturns, InTimeToReportTheEnd) {
    start(true);
    m_ckptd.reset();
    tree_reports(W_EXITCODE(5, 0));
    restart_ckptd();
    expect_from_shim<wire::TreeExited>();
    order(wire::Order::known);
    order(wire::Order::leave);
    EXPECT_EQ(end_of_shim(), W_EXITCODE(5, 0));
}

TEST_F(ShimReturns, NotASecondTimeToOneThatDoesNotKnowIt) {
    start(true);
    restart_ckptd();
    const auto listener = listen_at(m_socket, 0600);
    ASSERT_TRUE(listener);
    ASSERT_TRUE(send_packet(m_ckptd.get(), wire::encode(wire::Answer{304, 0, "no"})));
    m_ckptd.reset();
    pollfd waiting{listener->get(), POLLIN, 0};
    EXPECT_EQ(::poll(&waiting, 1, 500), 0);
    ::kill(m_shim, SIGTERM);
    EXPECT_EQ(next_in_tree().signal, SIGTERM);
    tree_reports(W_EXITCODE(5, 0));
    EXPECT_EQ(end_of_shim(), W_EXITCODE(5, 0));
}

TEST_F(ShimServe, TheCheckpointSignalIsNeverTheApplications) {
    start(false, SIGUSR2);
    ::kill(m_shim, SIGUSR2);
    ::kill(m_shim, SIGWINCH); // of two that are pending the kernel hands out the lower number first
    EXPECT_EQ(next_in_tree().signal, SIGWINCH);
    EXPECT_THAT(said(), testing::HasSubstr("no checkpoint is taken"));
}

TEST_F(ShimServe, SlurmsContWaitsWithItsTerm) {
    start(true);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
    ::kill(m_shim, SIGCONT);
    order(wire::Order::wait);
    EXPECT_EQ(next_in_tree(300ms).signal, 0) << "a stopped tree would run on";
    order(wire::Order::relay);
    const int first =
        next_in_tree().signal; // both are pending at once: the kernel hands the lower number out first
    EXPECT_THAT((std::array{first, next_in_tree().signal}), testing::UnorderedElementsAre(SIGCONT, SIGTERM));
}

TEST_F(ShimServe, LeavesAsSlurmsTermWouldHaveIt) {
    start(true);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
    order(wire::Order::wait);
    order(wire::Order::leave, "generation 3 saved");
    EXPECT_EQ(end_of_shim(), SIGTERM);
    EXPECT_EQ(said(), "checkpoint: generation 3 saved\n");
}

TEST_F(ShimServe, AKilledTreeBehindAHeldTermEndsByTerm) {
    start(true);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
    order(wire::Order::wait);
    ::kill(m_tree, SIGKILL);
    expect_from_shim<wire::TreeExited>();
    order(wire::Order::leave);
    EXPECT_EQ(end_of_shim(), SIGTERM);
}

TEST_F(ShimServe, WaitsForTheCompletionRecord) {
    start(true);
    tree_reports(W_EXITCODE(5, 0));
    expect_from_shim<wire::TreeExited>();
    std::this_thread::sleep_for(300ms);
    EXPECT_EQ(::waitpid(m_shim, nullptr, WNOHANG), 0);
    order(wire::Order::leave);
    EXPECT_EQ(end_of_shim(), W_EXITCODE(5, 0));
}

TEST_F(ShimServe, ButNotForEver) {
    start(true);
    tree_reports(W_EXITCODE(5, 0));
    expect_from_shim<wire::TreeExited>();
    EXPECT_EQ(end_of_shim(), W_EXITCODE(5, 0));
}

TEST_F(ShimServe, TheCheckpointSignalIsNotTheApplications) {
    start(true, SIGUSR2);
    ::kill(m_shim, SIGUSR2);
    expect_from_shim<wire::CreateRequest>();
    EXPECT_EQ(next_in_tree(100ms).signal, 0);
    ::kill(m_shim, SIGUSR1);
    EXPECT_EQ(next_in_tree().signal, SIGUSR1);
    ASSERT_TRUE(
        send_packet(m_ckptd.get(), wire::encode(wire::Answer{401, 0, "criu failed\nforged [CKPT-401]"})));
    std::this_thread::sleep_for(100ms);
    EXPECT_EQ(said(), "checkpoint: criu failed?forged [CKPT-401]\n");
}

TEST_F(ShimServe, NonsenseFromCkptdOnlyEndsTheConnection) {
    start(true);
    ASSERT_TRUE(send_packet(m_ckptd.get(), "nonsense"));
    ::kill(m_shim, SIGTERM);
    EXPECT_EQ(next_in_tree().signal, SIGTERM);
}

} // namespace
} // namespace ckpt
