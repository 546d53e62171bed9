// SPDX-License-Identifier: GPL-2.0-or-later
#include "shim_steps_testbed.hpp"

#include "os/datagram.hpp"

namespace ckpt::steps_test {

namespace {

// $1 numbers, one a line.
std::string lines(int count) {
    std::string all;
    for (int i = 1; i <= count; ++i)
        all += std::to_string(i) + "\n";
    return all;
}

// In the real srun's place: the first time, and when it is started again after a restore.
std::string first_and_again(const std::string& first, const std::string& again) {
    return "if [ \"$SLURM_OPEN_MODE\" = append ]; then " + again + "; else " + first + "; fi";
}

constexpr const char* k_for_ever = "touch $DIR/written; exec sleep 1000";

} // namespace

TEST_F(ShimSteps, OutputArrivesWholeAndBeforeTheStatus) {
    const pid_t pid = stand_in("seq 1 60000; exit 7");
    EXPECT_EQ(WEXITSTATUS(end_of(pid)), 7);
    EXPECT_TRUE(m_read == lines(60000)) << m_read.size(); // nothing came later
    EXPECT_EQ(m_steps->take_over().size(), 1u);
}

TEST_F(ShimSteps, OutputAndErrorInOnePipeKeepTheirOrder) {
    const pid_t pid = stand_in("for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done");
    end_of(pid);
    std::string all;
    for (int i = 1; i <= 9; ++i)
        all += "out " + std::to_string(i) + "\nerr " + std::to_string(i) + "\n";
    EXPECT_EQ(m_read, all);
}

TEST_F(ShimSteps, DeathBySignalIsTheStandInsOwn) {
    const int status = end_of(stand_in("kill -KILL $$"));
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST_F(ShimSteps, SignalsReachTheRealOne) {
    const pid_t pid =
        stand_in("trap 'echo term; exit 3' TERM; touch $DIR/written; while :; do sleep 0.01; done");
    ASSERT_TRUE(serve_until([&] { return exists("written"); }));
    ::kill(pid, SIGTERM);
    EXPECT_EQ(WEXITSTATUS(end_of(pid)), 3);
    EXPECT_EQ(m_read, "term\n");
}

TEST_F(ShimSteps, AReaderThatHasGoneIsFeltByTheRealOne) {
    m_out.write.reset();
    m_out = *make_pipe();
    const pid_t pid = stand_in("trap '' HUP; while echo line; do :; done; echo $? >$DIR/written; exit 5");
    m_out.write.reset();
    pollfd look{m_out.read.get(), POLLIN, 0};
    ASSERT_TRUE(serve_until([&] { return ::poll(&look, 1, 0) > 0; }));
    m_does_not_read = true;
    m_out.read.reset();
    const int status = end_of(pid);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGPIPE);
}

TEST_F(ShimSteps, AKilledStandInTakesTheRealOneWithIt) {
    const pid_t pid = stand_in(k_for_ever);
    ASSERT_TRUE(serve_until([&] { return exists("written"); }));
    ::kill(pid, SIGKILL);
    std::vector<std::uint64_t> over;
    EXPECT_TRUE(serve_until([&] { return !(over = m_steps->take_over()).empty(); }));
    EXPECT_EQ(over.size(), 1u);
}

TEST_F(ShimSteps, WhatIsNotReadIsKeptAndComesBeforeTheRest) {
    m_does_not_read = true;
    const pid_t pid =
        stand_in(first_and_again(std::string("seq 1 60000; ") + k_for_ever, "echo again; exit 4"));
    pollfd look{m_out.read.get(), POLLIN, 0};
    ASSERT_TRUE(serve_until([&] { return ::poll(&look, 1, 0) > 0; }));
    const wire::ShimState state = settle();
    ASSERT_TRUE(exists("written")); // it could write all, though nobody has read
    ASSERT_EQ(state.steps.size(), 1u);
    EXPECT_FALSE(state.steps[0].ended);
    EXPECT_GT(state.steps[0].out.size(), 100'000u);
    restore(state);
    m_does_not_read = false;
    EXPECT_EQ(WEXITSTATUS(end_of(pid)), 4);
    EXPECT_TRUE(m_read == lines(60000) + "again\n") << m_read.size();
}

TEST_F(ShimSteps, NothingMovesBetweenSettleAndGoOn) {
    const pid_t pid = stand_in("touch $DIR/written; while ! [ -e $DIR/go ]; do sleep 0.01; done; echo late");
    ASSERT_TRUE(serve_until([&] { return exists("written"); }));
    (void)settle();
    std::ofstream(m_dir / "go").close();
    const pid_t other = stand_in("echo other");
    pollfd look{m_steps->descriptor(), POLLIN, 0};
    EXPECT_EQ(::poll(&look, 1, 200), 0);
    read_some();
    EXPECT_EQ(m_read, "");
    m_steps->go_on();
    EXPECT_EQ(end_of(pid), 0);
    EXPECT_EQ(end_of(other), 0);
    EXPECT_THAT(m_read, testing::AnyOf("late\nother\n", "other\nlate\n"));
}

TEST_F(ShimSteps, AStepAskedForDuringTheCutIsNotPartOfIt) {
    (void)settle();
    const pid_t pid = stand_in("echo run >>$DIR/runs");
    wire::ShimState state;
    for (int i = 0; i < 20; ++i) { // long enough for it to have asked
        state = settle();
        EXPECT_TRUE(state.steps.empty());
    }
    restore(state); // it is asked again, by the shim after
    EXPECT_EQ(end_of(pid), 0);
    EXPECT_EQ(read_file(m_dir / "runs"), "run\n");
}

TEST_F(ShimSteps, OneThatHasEndedIsAnsweredAndNotRunAgain) {
    m_does_not_read = true;
    const pid_t pid = stand_in("echo run >>$DIR/runs; seq 1 60000; exit 9");
    pollfd look{m_out.read.get(), POLLIN, 0};
    ASSERT_TRUE(serve_until([&] { return ::poll(&look, 1, 0) > 0; }));
    (void)settle(); // takes all that is written, so that srun can end
    m_steps->go_on();
    ASSERT_TRUE(serve_until([&] { return !m_doubted.empty(); }));
    wire::ShimState state = settle();
    ASSERT_EQ(state.steps.size(), 1u);
    EXPECT_TRUE(state.steps[0].ended); // it was no end of the job's
    restore(state);
    m_does_not_read = false;
    EXPECT_EQ(WEXITSTATUS(end_of(pid)), 9);
    EXPECT_TRUE(m_read == lines(60000)) << m_read.size();
    EXPECT_EQ(read_file(m_dir / "runs"), "run\n");
    EXPECT_EQ(m_steps->take_over(), std::vector{state.steps[0].stand_in});
}

TEST_F(ShimSteps, AskingTwiceRunsOnce) {
    restore({});
    const pid_t pid = stand_in("echo run >>$DIR/runs; exit 2");
    ::kill(pid, SIGSTOP);
    ::waitpid(pid, nullptr, WUNTRACED);
    // It may have asked for the first time already, and is told to ask again.
    m_steps->restored({});
    ::kill(pid, SIGCONT);
    EXPECT_EQ(WEXITSTATUS(end_of(pid)), 2);
    pollfd look{m_steps->descriptor(), POLLIN, 0};
    while (::poll(&look, 1, 300) > 0)
        m_steps->serve();
    EXPECT_EQ(read_file(m_dir / "runs"), "run\n");
}

TEST_F(ShimSteps, WhoIsNotThereAnyMoreIsOver) {
    const std::string stale = m_dir / "00000000000000ab";
    {
        const auto left = bind_datagram(stale, Senders::unknown);
    }
    wire::ShimState state;
    state.steps.resize(2);
    state.steps[0].stand_in = 0xab;
    state.steps[1].stand_in = 0xcd;
    m_steps->restored(state);
    EXPECT_EQ(m_steps->take_over(), (std::vector<std::uint64_t>{0xab, 0xcd}));
    EXPECT_FALSE(std::filesystem::exists(stale));
}

TEST_F(ShimSteps, OneThatHasNotAskedYetStaysOnRecord) {
    const pid_t pid = stand_in(k_for_ever);
    ASSERT_TRUE(serve_until([&] { return exists("written"); }));
    ::kill(pid, SIGSTOP);
    ::waitpid(pid, nullptr, WUNTRACED);
    const wire::ShimState state = settle();
    ASSERT_EQ(state.steps.size(), 1u);
    restore(state);
    const wire::ShimState later = settle();
    ASSERT_EQ(later.steps.size(), 1u);
    EXPECT_EQ(later.steps[0].stand_in, state.steps[0].stand_in);
}

TEST_F(ShimSteps, TooMuchOutputIsAReason) {
    m_does_not_read = true;
    (void)stand_in("exec yes");
    pollfd look{m_out.read.get(), POLLIN, 0};
    ASSERT_TRUE(serve_until([&] { return ::poll(&look, 1, 0) > 0; }));
    wire::ShimState state;
    wire::Settled answer;
    Status settled;
    for (int i = 0; settled && i < 100'000; ++i)
        settled = m_steps->settle(state, answer);
    ASSERT_FALSE(settled);
    EXPECT_EQ(settled.error().code, Code::dump_refused);
}

TEST_F(ShimSteps, InputIsNeitherLostNorReadTwice) {
    Pipe in = *make_pipe();
    ::fcntl(in.write.get(), F_SETPIPE_SZ, 1 << 20);
    const std::string input = lines(30000);
    ASSERT_TRUE(write_all(in.write.get(), input));
    in.write.reset();
    const pid_t pid =
        stand_in(first_and_again(std::string("dd bs=1 count=5000 status=none; ") + k_for_ever, "exec cat"),
                 in.read.get());
    in.read.reset();
    ASSERT_TRUE(serve_until([&] { return exists("written"); }));
    const wire::ShimState state = settle();
    ASSERT_EQ(state.steps.size(), 1u);
    EXPECT_FALSE(state.steps[0].in.empty());
    EXPECT_LT(state.steps[0].in.size(), 10'000u); // the rest stays with the script
    restore(state);
    EXPECT_EQ(end_of(pid), 0);
    EXPECT_TRUE(m_read == input) << m_read.size();
}

TEST_F(ShimSteps, TheEndOfTheInputIsKeptToo) {
    Pipe in = *make_pipe();
    ASSERT_TRUE(write_all(in.write.get(), "a few bytes"));
    in.write.reset();
    const pid_t pid =
        stand_in(first_and_again(std::string("cat; ") + k_for_ever, "cat; echo ', end'"), in.read.get());
    in.read.reset();
    ASSERT_TRUE(serve_until([&] { return exists("written"); })); // so it has seen the end
    const wire::ShimState state = settle();
    ASSERT_EQ(state.steps.size(), 1u);
    EXPECT_EQ(state.steps[0].in, "");
    EXPECT_TRUE(state.steps[0].in_ended);
    restore(state);
    EXPECT_EQ(end_of(pid), 0);
    EXPECT_EQ(m_read, "a few bytes, end\n");
}

TEST_F(ShimSteps, AFileArrivesWhole) {
    const std::string input = lines(300'000);
    std::ofstream(m_dir / "input") << input;
    const Fd in(::open((m_dir / "input").c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(end_of(stand_in("exec cat", in.get())), 0);
    EXPECT_TRUE(m_read == input) << m_read.size();
}

TEST_F(ShimSteps, AFileIsReadNoFurtherThanTheRealOneHas) {
    std::ofstream(m_dir / "input") << lines(10000);
    const Fd in(::open((m_dir / "input").c_str(), O_RDONLY | O_CLOEXEC));
    const pid_t pid = stand_in("dd bs=1 count=6 status=none", in.get());
    EXPECT_EQ(end_of(pid), 0);
    EXPECT_EQ(m_read, "1\n2\n3\n");
    EXPECT_EQ(::lseek(in.get(), 0, SEEK_CUR), 6);
}

TEST_F(ShimSteps, AFileOfTheRealOnesOwnGoesBackToItsLength) {
    const pid_t pid = stand_in(
        first_and_again(std::string("exec 5>>$DIR/own; echo one >&5; ") + k_for_ever, "echo two >>$DIR/own"));
    ASSERT_TRUE(serve_until([&] { return exists("written"); }));
    const wire::ShimState state = settle();
    ASSERT_EQ(state.steps.size(), 1u);
    ASSERT_EQ(state.steps[0].outputs.size(), 1u);
    EXPECT_EQ(state.steps[0].outputs[0].path, (m_dir / "own").string());
    std::ofstream(m_dir / "own", std::ios::app) << "after the cut\n";
    restore(state);
    EXPECT_EQ(end_of(pid), 0);
    EXPECT_EQ(read_file(m_dir / "own"), "one\ntwo\n");
}

TEST_F(ShimSteps, ASecondShimDoesNotTakeThePlaceOfTheFirst) {
    const auto second = Steps::open(m_dir.string());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::busy);
    EXPECT_EQ(WEXITSTATUS(end_of(stand_in("exit 3"))), 3);
}

TEST_F(ShimSteps, AFailureThatMayBeTheJobsEndIsNotTold) {
    m_clears = false;
    const pid_t pid = stand_in("exit 3");
    ASSERT_TRUE(serve_until([&] { return !m_doubted.empty(); }));
    const wire::ShimState state = settle();
    ASSERT_EQ(state.steps.size(), 1u);
    EXPECT_FALSE(state.steps[0].ended) << "after a restore it is run once more";
    EXPECT_EQ(::waitpid(pid, nullptr, WNOHANG), 0);
    m_steps->clear_all(); // the job runs on
    m_steps->go_on();
    EXPECT_EQ(WEXITSTATUS(end_of(pid)), 3);
}

// Slurm's srun fails when its job has been requeued already, with what it has read of a pipe.
TEST_F(ShimSteps, OneThatFailsDuringACutIsRunOnceMoreWithItsInput) {
    Pipe in = *make_pipe();
    ASSERT_EQ(::write(in.write.get(), "a few bytes\n", 12), 12);
    in.write.reset();
    const pid_t pid = stand_in(
        first_and_again("touch $DIR/written; until [ -e $DIR/go ]; do sleep 0.01; done; echo refused; exit 1",
                        "exec cat"),
        in.read.get());
    in.read.reset();
    ASSERT_TRUE(serve_until([&] { return exists("written"); }));
    (void)settle();
    ASSERT_FALSE(m_sruns.empty());
    std::ofstream(m_dir / "go") << "go";
    siginfo_t ended{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(m_sruns[0]), &ended, WEXITED | WNOWAIT), 0);
    const wire::ShimState state = settle();
    ASSERT_EQ(state.steps.size(), 1u);
    EXPECT_FALSE(state.steps[0].ended);
    restore(state);
    EXPECT_EQ(end_of(pid), 0);
    EXPECT_EQ(m_read, "refused\na few bytes\n");
}

TEST_F(ShimSteps, WhoReadsWhatAFailedOneWroteSeesItsEnd) {
    m_clears = false;
    const pid_t pid = stand_in("echo all; exit 3");
    m_out.write.reset();
    ASSERT_TRUE(serve_until([&] { return !m_doubted.empty(); }));
    m_steps->clear_all(); // nothing of it comes to serve() any more
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    std::erase(m_stand_ins, pid);
    EXPECT_EQ(WEXITSTATUS(status), 3);
    read_some();
    EXPECT_EQ(m_read, "all\n");
    char byte = 0;
    EXPECT_EQ(::read(m_out.read.get(), &byte, 1), 0) << "the shim holds the pipe, too";
}

TEST_F(ShimSteps, TheStandInsNumberIsInTheEnvironment) {
    EXPECT_EQ(end_of(stand_in("echo $SLURM_CHECKPOINT_STAND_IN")), 0);
    ASSERT_EQ(m_read.size(), 17u);
    EXPECT_EQ(m_read.find_first_not_of("0123456789abcdef\n"), std::string::npos);
}

} // namespace ckpt::steps_test
