// SPDX-License-Identifier: GPL-2.0-or-later
// Everything comes to rest before a checkpoint, and goes on behind it: here or around a restored tree.
#include "shim/state_file.hpp"
#include "shim_serve_testbed.hpp"
#include "shim_streams_testbed.hpp"

namespace ckpt {
namespace {

using namespace shim_test;

class ShimSettle : public StreamsTest {};

TEST_F(ShimSettle, TheBeginningOfALineIsPartOfTheCheckpoint) {
    put(m_tree_out, "a\nb");
    put(m_tree_err, "e");
    settled(false); // "a" is on its way
    settled(false); // slurmstepd has not taken it
    EXPECT_EQ(get(m_out.read), "a\n");
    const auto record = settled(true);
    EXPECT_EQ(record.out, "b");
    EXPECT_EQ(record.err, "e");
    EXPECT_EQ(record.in, "");
    EXPECT_FALSE(record.in_ended);
}

TEST_F(ShimSettle, NothingMovesUntilItGoesOn) {
    settled(true);
    put(m_tree_out, "a\n");
    put(m_in.write, "i");
    turn();
    EXPECT_EQ(get(m_out.read), "");
    EXPECT_EQ(get(m_tree_in), "");
    m_streams.go_on();
    turn();
    EXPECT_EQ(get(m_out.read), "a\n");
    EXPECT_EQ(get(m_tree_in), "i");
}

TEST_F(ShimSettle, UnreadInputIsTakenAlongAndStays) {
    put(m_in.write, "12345");
    turn(); // it is in the tree's pipe now
    EXPECT_EQ(settled(true).in, "12345");
    EXPECT_EQ(settled(true).in, "12345");
    m_streams.go_on();
    turn();
    EXPECT_EQ(get(m_tree_in), "12345");
    EXPECT_EQ(settled(true).in, "");
}

TEST_F(ShimSettle, SoIsAllThatSlurmstepdHas) {
    const std::string much = lines(4 << 20);
    std::size_t sent = push(m_in.write, much);
    for (int i = 0; i < 5; ++i) { // slurmstepd delivers on
        settled(false);
        const ssize_t n = ::write(m_in.write.get(), much.data() + sent, 60'000);
        ASSERT_GT(n, 0);
        sent += static_cast<std::size_t>(n);
    }
    settled(false);
    EXPECT_EQ(settled(true).in, much.substr(0, sent));
    m_streams.go_on();
    turn();
    EXPECT_EQ(pull(m_tree_in), much.substr(0, sent)) << "the tree runs on and misses nothing";
}

TEST_F(ShimSettle, AWidePipeOfTheTreeToo) {
    ASSERT_GT(::fcntl(m_tree_in.get(), F_SETPIPE_SZ, 1 << 20), 0);
    const std::string much = lines(700'000);
    ASSERT_EQ(push(m_in.write, much), much.size());
    EXPECT_EQ(settled(true).in, much);
    EXPECT_EQ(pull(m_tree_in), much);
}

TEST_F(ShimSettle, TheEndOfInputToo) {
    put(m_in.write, "last");
    m_in.write.reset();
    turn();
    auto record = settled(true);
    EXPECT_EQ(record.in, "last");
    EXPECT_TRUE(record.in_ended);
    m_streams.go_on();
    EXPECT_EQ(get(m_tree_in), "last|");
    record = settled(true);
    EXPECT_EQ(record.in, "");
    EXPECT_TRUE(record.in_ended);
}

TEST_F(ShimSettle, InputThatTheTreeHasClosedIsNone) {
    put(m_in.write, "12345");
    turn();
    m_tree_in.reset();
    EXPECT_EQ(settled(true).in, "");
}

TEST_F(ShimSettle, MoreInputThanACheckpointTakesIsRefused) {
    const std::string piece(60'000, 'x');
    Status status;
    for (std::size_t sent = 0; status && sent < (std::size_t{10} << 20); sent += piece.size()) {
        put(m_in.write, piece);
        wire::ShimState state;
        bool at_rest = true;
        status = m_streams.settle(state, at_rest);
    }
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::dump_unfit);
    EXPECT_THAT(status.error().what, testing::HasSubstr("8 MiB"));
}

TEST_F(ShimSettle, ARestoredTreeGoesOnInTheMiddleOfItsLine) {
    wire::StreamsRecord record;
    record.out = "b";
    record.err = "e";
    record.in = "12345";
    m_streams.restored(record);
    put(m_tree_out, "c\n");
    put(m_in.write, "678");
    m_in.write.reset();
    turn();
    EXPECT_EQ(get(m_out.read), "bc\n");
    EXPECT_EQ(get(m_err.read), "");
    EXPECT_EQ(get(m_tree_in), "12345678|");
}

TEST_F(ShimSettle, ARestoredInputThatHadEndedEndsAgain) {
    wire::StreamsRecord record;
    record.in = lines(300'000);
    record.in_ended = true;
    m_streams.restored(record);
    turn();
    EXPECT_EQ(pull(m_tree_in), record.in + "|");
}

TEST_F(ShimSettle, WhatATreeThatHasEndedLeftIsOnItsWay) {
    put(m_tree_out, "a");
    turn();
    EXPECT_EQ(settled(true).out, "a");
    m_streams.tree_ended();
    EXPECT_EQ(get(m_out.read), "") << "a part of the cut may still be saved";
    EXPECT_FALSE(m_streams.are_done());
    EXPECT_EQ(settled(false).out, "");
    EXPECT_EQ(get(m_out.read), "a");
    settled(true);
    m_streams.go_on();
    EXPECT_TRUE(m_streams.are_done());
}

TEST(ShimStateFile, HoldsTheLastState) {
    const auto file = StateFile::make();
    ASSERT_TRUE(file);
    EXPECT_TRUE(file->read()->environment.empty());
    wire::ShimState state;
    state.environment = {"SLURM_A=1", "SLURM_B=2"};
    state.streams.in = std::string("a\0b", 3);
    ASSERT_TRUE(file->write(state));
    state.environment.pop_back();
    ASSERT_TRUE(file->write(state));
    const auto read = file->read();
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->environment, state.environment);
    EXPECT_EQ(read->streams.in, state.streams.in);
    EXPECT_FALSE(StateFile().write(state));
}

// ---- the shim's loop ----

class ShimSettles : public ShimServe {
protected:
    void SetUp() override {
        ShimServe::SetUp();
        m_state = *StateFile::make();
        m_environment = {"SLURM_JOB_NODELIST=n1"};
    }
    // The tree writes to m_tree_err, the shim to m_stderr.
    void start_step() {
        const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        m_streams = *Streams::open({null.get(), m_stderr.write.get(), m_stderr.write.get()}, true);
        m_tree_err = *duplicate(m_streams.stdio()[2]);
        ASSERT_TRUE(m_streams.tree_started());
        start(true);
        m_streams = {};
    }
    void put(const std::string& text) const {
        ASSERT_EQ(::write(m_tree_err.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    wire::Settled settle(std::uint64_t round = 1) const {
        EXPECT_TRUE(send_packet(m_ckptd.get(), wire::encode(wire::Settle{round})));
        const auto packet = receive_packet(m_ckptd.get(), 2s);
        if (!packet) return {};
        return wire::decode<wire::Settled>(packet->bytes).value_or(wire::Settled{});
    }
    std::string await_said() const {
        pollfd waiting{m_stderr.read.get(), POLLIN, 0};
        return ::poll(&waiting, 1, 2000) == 1 ? said() : "";
    }
    Fd m_tree_err;
};

TEST_F(ShimSettles, ABatchScriptsShimSavesItsEnvironment) {
    start(true);
    const auto answer = settle(7);
    EXPECT_EQ(answer.round, 7U);
    EXPECT_EQ(answer.code, 0U);
    EXPECT_TRUE(answer.at_rest);
    EXPECT_THAT(m_state.read()->environment, testing::ElementsAre("SLURM_JOB_NODELIST=n1"));
}

TEST_F(ShimSettles, WithoutAFileThereIsNoCheckpoint) {
    m_state = {};
    start(true);
    const auto answer = settle();
    EXPECT_NE(answer.code, 0U);
    EXPECT_FALSE(answer.at_rest);
    EXPECT_NE(answer.text, "");
}

TEST_F(ShimSettles, OurLinesComeBetweenTheTasks) {
    start_step();
    put("half");
    put(" of it");
    order(wire::Order::line, "hello");
    EXPECT_EQ(await_said(), "checkpoint: hello\n");
    tree_reports(W_EXITCODE(5, 0));
    expect_from_shim<wire::TreeExited>();
    order(wire::Order::leave);
    EXPECT_EQ(end_of_shim(), W_EXITCODE(5, 0));
    EXPECT_EQ(await_said(), "half of it");
}

TEST_F(ShimSettles, AfterACutTheTaskGoesOn) {
    start_step();
    put("a\nb");
    EXPECT_EQ(await_said(), "a\n");
    EXPECT_TRUE(settle().at_rest);
    EXPECT_EQ(m_state.read()->streams.err, "b");
    put("c\n");
    std::this_thread::sleep_for(50ms);
    EXPECT_EQ(said(), "");
    order(wire::Order::go_on);
    EXPECT_EQ(await_said(), "bc\n");
}

TEST_F(ShimSettles, AndWithoutCkptdToo) {
    m_complain_ms = 60'000;
    start_step();
    put("b");
    EXPECT_TRUE(settle().at_rest || settle().at_rest);
    put("c\n");
    m_ckptd.reset();
    EXPECT_EQ(await_said(), "bc\n");
}

TEST_F(ShimSettles, ATreeThatEndsInACutIsHeardBehindIt) {
    start_step();
    put("b");
    EXPECT_TRUE(settle().at_rest || settle().at_rest);
    tree_reports(W_EXITCODE(5, 0));
    expect_from_shim<wire::TreeExited>();
    EXPECT_EQ(said(), "");
    order(wire::Order::go_on);
    EXPECT_EQ(await_said(), "b");
    order(wire::Order::leave);
    EXPECT_EQ(end_of_shim(), W_EXITCODE(5, 0));
}

TEST_F(ShimSettles, WhatIsSavedIsNotSaidAsWell) {
    start_step();
    put("b");
    EXPECT_TRUE(settle().at_rest || settle().at_rest);
    order(wire::Order::leave);
    EXPECT_EQ(end_of_shim(), SIGTERM);
    EXPECT_EQ(said(), "");
}

TEST_F(ShimSettles, NorIfTheTreeIsSeenToBeGoneFirst) {
    start_step();
    put("b");
    EXPECT_TRUE(settle().at_rest || settle().at_rest);
    ::kill(m_tree, SIGKILL);
    expect_from_shim<wire::TreeExited>();
    order(wire::Order::leave);
    EXPECT_EQ(end_of_shim(), SIGKILL);
    EXPECT_EQ(said(), "");
}

} // namespace
} // namespace ckpt
