// SPDX-License-Identifier: GPL-2.0-or-later
// The shim's side of srun's stand-ins in this process, real stand-ins and what they run as processes of their
// own. A shell takes the place of srun.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>

#include "os/files.hpp"
#include "shim/signals.hpp"
#include "shim/steps.hpp"
#include "srun/command.hpp"
#include "srun/stand_in.hpp"

namespace ckpt::steps_test {

using namespace std::chrono_literals;

constexpr auto k_limit = 60s;

inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

// srun's stand-in for `script` in this process, with these streams.
[[noreturn]] inline void be_stand_in(const std::string& dir, const std::string& script, int in, int out) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::close_range(3, ~0U, 0);
    sigset_t none;
    ::sigemptyset(&none);
    const wire::StepCommand command = command_of({"sh", "-c", script}, "/bin/sh", none);
    int status = 0xff00;
    if (auto stand_in = StandIn::start(dir, command, false))
        if (const auto ended = stand_in->wait()) status = ended->wait_status;
    if (!WIFSIGNALED(status)) ::_exit(WEXITSTATUS(status));
    sigset_t all = every_signal();
    ::signal(WTERMSIG(status), SIG_DFL);
    ::sigprocmask(SIG_UNBLOCK, &all, nullptr);
    ::kill(::getpid(), WTERMSIG(status));
    ::_exit(1);
}

class ShimSteps : public testing::Test {
protected:
    void SetUp() override {
        block_all_signals(); // inherited, as from the shim's main()
        std::string name = (std::filesystem::temp_directory_path() / "steps.XXXXXX").string();
        m_dir = ::mkdtemp(name.data());
        ::setenv("DIR", m_dir.c_str(), 1);
        m_out = *make_pipe();
        ::fcntl(m_out.read.get(), F_SETFL, O_NONBLOCK);
        open_steps();
    }
    void TearDown() override {
        for (const pid_t pid : m_stand_ins) {
            ::kill(pid, SIGKILL);
            ::kill(pid, SIGCONT);
            ::waitpid(pid, nullptr, 0);
        }
        kill_sruns();
        std::filesystem::remove_all(m_dir);
        sigset_t none;
        ::sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
    }

    void open_steps() { m_steps.emplace(std::move(*Steps::open(m_dir.string()))); }

    // srun's stand-in for `script`, with standard input `in`; output and error go to m_out.
    pid_t stand_in(const std::string& script, int in = -1) {
        const pid_t pid = ::fork();
        if (pid == 0)
            be_stand_in(m_dir.string(), script, in < 0 ? ::open("/dev/null", O_RDONLY | O_CLOEXEC) : in,
                        m_out.write.get());
        m_stand_ins.push_back(pid);
        return pid;
    }

    // Serves until `done`.
    testing::AssertionResult serve_until(const std::function<bool()>& done) {
        const auto end = std::chrono::steady_clock::now() + k_limit;
        while (!done()) {
            if (std::chrono::steady_clock::now() > end)
                return testing::AssertionFailure() << "it never happened";
            pollfd look{m_steps->descriptor(), POLLIN, 0};
            if (::poll(&look, 1, 10) > 0) m_steps->serve();
            for (const std::uint64_t one :
                 m_steps->take_doubts()) { // as ckptd answers, of a job that runs on
                m_doubted.push_back(one);
                if (m_clears) m_steps->clear(one);
            }
        }
        return testing::AssertionSuccess();
    }

    // Serves until the stand-in has ended; its wait status.
    int end_of(pid_t pid) {
        std::optional<int> status;
        EXPECT_TRUE(serve_until([&] {
            read_some();
            int now = 0;
            if (!status && ::waitpid(pid, &now, WNOHANG) == pid) status = now;
            return status.has_value();
        }));
        std::erase(m_stand_ins, pid);
        read_some();
        return status.value_or(-1);
    }

    // The consumer takes what is there.
    void read_some() {
        char bytes[4096];
        for (ssize_t n = 0; !m_does_not_read && (n = ::read(m_out.read.get(), bytes, sizeof bytes)) > 0;)
            m_read.append(bytes, static_cast<std::size_t>(n));
    }

    // Until everything is at rest, as ckptd does it.
    wire::ShimState settle() {
        wire::ShimState state;
        const auto end = std::chrono::steady_clock::now() + k_limit;
        for (int quiet = 0; quiet < 5;) {
            wire::Settled answer;
            answer.at_rest = true;
            const Status settled = m_steps->settle(state, answer);
            m_sruns = answer.sruns;
            EXPECT_TRUE(settled) << one_line(settled.error());
            quiet = answer.at_rest ? quiet + 1 : 0;
            ::poll(nullptr, 0, 20); // stands for ckptd's look at srun's threads
            if (!settled || std::chrono::steady_clock::now() > end) break;
        }
        return *wire::decode<wire::ShimState>(wire::encode(state));
    }

    void kill_sruns() {
        for (const std::int32_t pid : m_sruns)
            ::kill(pid, SIGKILL);
        for (const std::int32_t pid : m_sruns)
            ::waitpid(pid, nullptr, 0);
        m_sruns.clear();
    }

    // What a checkpoint, the end of the shim and a restore are for the stand-ins.
    void restore(const wire::ShimState& state) {
        m_steps.reset();
        kill_sruns();
        open_steps();
        m_steps->restored(state);
    }

    bool exists(const char* name) { return std::filesystem::exists(m_dir / name); }

    std::filesystem::path m_dir;
    Pipe m_out;
    bool m_clears = true;
    std::vector<std::uint64_t> m_doubted;
    bool m_does_not_read = false;
    std::string m_read;
    std::optional<Steps> m_steps;
    std::vector<std::int32_t> m_sruns;
    std::vector<pid_t> m_stand_ins;
};

} // namespace ckpt::steps_test
