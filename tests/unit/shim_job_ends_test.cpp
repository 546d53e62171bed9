// SPDX-License-Identifier: GPL-2.0-or-later
// The batch script's shim learns that the job may be about to end before its own SIGTERM has come: what its
// sruns say from then on is not for the tree, until the job goes on.
#include "shim_serve_testbed.hpp"
#include "shim_steps_testbed.hpp"

namespace ckpt {
namespace {

using namespace shim_test;

class ShimJobEnds : public ShimServe {
protected:
    void SetUp() override {
        ShimServe::SetUp();
        std::string name = (std::filesystem::temp_directory_path() / "ends.XXXXXX").string();
        m_dir = ::mkdtemp(name.data());
        ::setenv("DIR", m_dir.c_str(), 1);
        m_steps = *Steps::open(m_dir.string());
        m_state = *StateFile::make();
        m_out = *make_pipe();
        start(true);
        m_steps = {};
        expect_from_shim<wire::StepsKnown>();
        m_stand_in = ::fork();
        if (m_stand_in == 0)
            steps_test::be_stand_in(m_dir.string(),
                                    "echo begun; while ! [ -e $DIR/go ]; do [ -e $DIR/fail ] && exit 3; "
                                    "sleep 0.01; done; echo ends; "
                                    "touch $DIR/said; exec sleep 1000",
                                    ::open("/dev/null", O_RDONLY | O_CLOEXEC), m_out.write.get());
        ASSERT_EQ(next_line(), "begun\n");
    }
    void TearDown() override {
        if (m_stand_in != 0) ::kill(m_stand_in, SIGKILL);
        if (m_stand_in != 0) ::waitpid(m_stand_in, nullptr, 0);
        ShimServe::TearDown();
        std::filesystem::remove_all(m_dir);
    }
    // "" when none comes in time.
    std::string next_line(int limit_ms = 20'000) const {
        pollfd waiting{m_out.read.get(), POLLIN, 0};
        std::array<char, 100> bytes{};
        if (::poll(&waiting, 1, limit_ms) != 1) return "";
        const ssize_t n = ::read(m_out.read.get(), bytes.data(), bytes.size());
        return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0))};
    }
    // Until the shim has obeyed all orders so far.
    void await_obedience() const {
        order(wire::Order::line, "here");
        pollfd waiting{m_stderr.read.get(), POLLIN, 0};
        ASSERT_EQ(::poll(&waiting, 1, 20'000), 1);
        ASSERT_EQ(said(), "checkpoint: here\n");
    }
    int end_of_stand_in() {
        int status = -1;
        ::waitpid(std::exchange(m_stand_in, 0), &status, 0);
        return status;
    }
    void let_it_fail() const { std::ofstream(m_dir / "fail").close(); }
    void let_it_say() const {
        std::ofstream(m_dir / "go").close();
        for (int i = 0; i < 2000 && !std::filesystem::exists(m_dir / "said"); ++i)
            std::this_thread::sleep_for(10ms);
        ASSERT_TRUE(std::filesystem::exists(m_dir / "said"));
    }

    std::filesystem::path m_dir;
    Pipe m_out;
    pid_t m_stand_in = 0;
};

TEST_F(ShimJobEnds, NothingIsPassedOnUntilTheJobGoesOn) {
    order(wire::Order::job_ends);
    await_obedience();
    let_it_say();
    order(wire::Order::go_on); // the end of a cut is not that of the wait
    await_obedience();
    EXPECT_EQ(next_line(0), "");
    order(wire::Order::go_on);
    order(wire::Order::job_goes_on);
    EXPECT_EQ(next_line(), "ends\n");
}

TEST_F(ShimJobEnds, NorIsThereAnEndWithoutCkptd) {
    order(wire::Order::job_ends);
    await_obedience();
    let_it_say();
    EXPECT_EQ(next_line(0), "");
    m_ckptd.reset();
    EXPECT_EQ(next_line(), "ends\n");
}

TEST_F(ShimJobEnds, ACkptdThatDoesNotAnswerKeepsNoFailureFromTheScript) {
    let_it_fail();
    expect_from_shim<wire::StepDoubt>();
    EXPECT_EQ(end_of_stand_in(), 3 << 8);
}

TEST_F(ShimJobEnds, ButAFailureThatMayBeTheJobsEndWaits) {
    let_it_fail();
    expect_from_shim<wire::StepDoubt>();
    order(wire::Order::job_ends);
    std::this_thread::sleep_for(std::chrono::milliseconds(2 * m_doubt_ms)); // nothing comes, however long
    EXPECT_EQ(::waitpid(m_stand_in, nullptr, WNOHANG), 0);
    order(wire::Order::job_goes_on);
    EXPECT_EQ(end_of_stand_in(), 3 << 8);
}

// A program that saves itself before the job ends: what it still writes is passed on, its end is not.
class KeptEnds : public steps_test::ShimSteps {
protected:
    void SetUp() override {
        ShimSteps::SetUp();
        m_stand_in = stand_in("echo begun; while ! [ -e $DIR/go ]; do sleep 0.01; done; echo saved; exit 0");
        ASSERT_TRUE(serve_until([&] { return reads("begun\n"); }));
        m_steps->keep_ends();
        std::ofstream(m_dir / "go").close();
    }
    bool reads(const std::string& text) {
        read_some();
        return m_read.ends_with(text);
    }
    // The srun, a child of this process as well, has been reaped.
    [[nodiscard]] bool has_only_stand_in() const {
        std::ifstream file("/proc/self/task/" + std::to_string(::gettid()) + "/children");
        std::vector<pid_t> children;
        for (pid_t child = 0; file >> child;)
            children.push_back(child);
        return children == std::vector<pid_t>{m_stand_in};
    }
    [[nodiscard]] bool knows_end() const {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(m_stand_in), &info, WNOHANG | WEXITED | WNOWAIT) == 0 &&
               info.si_pid != 0;
    }

    pid_t m_stand_in = 0;
};

TEST_F(KeptEnds, AreGivenWhenTheJobRunsOn) {
    ASSERT_TRUE(serve_until([&] { return reads("saved\n"); }));
    ASSERT_FALSE(m_steps->stand_in_pids().empty());
    // Its srun is seen to end, and its stand-in hears nothing of it.
    ASSERT_TRUE(serve_until([&] { return m_steps->stand_in_pids().size() == 1 && has_only_stand_in(); }));
    EXPECT_FALSE(knows_end());
    m_steps->give_ends();
    EXPECT_EQ(end_of(m_stand_in), 0);
}

TEST_F(KeptEnds, AreNotKeptFromWhoTellsItsSrunItself) {
    const auto stand_ins = m_steps->stand_in_pids();
    ASSERT_EQ(stand_ins.size(), 1U);
    EXPECT_EQ(stand_ins[0].first, m_stand_in);
    m_steps->let_end({stand_ins[0].second});
    EXPECT_EQ(end_of(m_stand_in), 0);
}

} // namespace
} // namespace ckpt
