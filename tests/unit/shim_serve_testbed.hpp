// SPDX-License-Identifier: GPL-2.0-or-later
// The shim's loop as a process of its own, between a tree and a ckptd that this test plays.
#pragma once

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

namespace ckpt::shim_test {

using namespace std::chrono_literals;
using wire::SignalScope;

struct Seen {
    int signal = 0;
    int code = 0;
    int value = 0;
};

// The tree: reports each signal that reaches it and lives until it is killed.
[[noreturn]] inline void be_tree(int report) {
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
            Service::Parts parts{with_ckptd ? Ckptd(std::move(pair.second)) : Ckptd(),
                                 Tree{*open_pidfd(m_tree), 0},
                                 std::move(m_status.read),
                                 checkpoint_signal,
                                 m_lost,
                                 m_socket,
                                 m_complain_ms,
                                 m_doubt_ms};
            parts.state = std::move(m_state);
            parts.streams = std::move(m_streams);
            parts.steps = std::move(m_steps);
            parts.environment = m_environment;
            Service(std::move(parts)).run();
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
    StateFile m_state;
    Streams m_streams;
    Steps m_steps;
    std::vector<std::string> m_environment;
    bool m_lost = false;
    std::string m_socket = "/nonexistent/ckptd.sock";
    std::int64_t m_complain_ms = 0;
    std::int64_t m_doubt_ms = 300;
    pid_t m_tree = 0;
    pid_t m_shim = 0;
};

} // namespace ckpt::shim_test
