// SPDX-License-Identifier: GPL-2.0-or-later
// A step's output and input on their way through its shim.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>

#include "os/process.hpp"
#include "os/stream.hpp"
#include "shim/held_lines.hpp"
#include "shim_streams_testbed.hpp"

namespace ckpt {
namespace {

using namespace shim_test;

std::string all_of(HeldLines& lines) {
    const std::string ready(lines.ready());
    lines.sent(ready.size());
    return ready;
}

TEST(ShimHeldLines, GoesOnInWholeLines) {
    HeldLines held;
    held.take("one\ntw");
    EXPECT_EQ(all_of(held), "one\n");
    EXPECT_EQ(held.held(), "tw");
    held.take("o");
    EXPECT_EQ(all_of(held), "");
    held.take("\nthree\nfour");
    EXPECT_EQ(all_of(held), "two\nthree\n");
    held.end();
    EXPECT_EQ(all_of(held), "four");
}

TEST(ShimHeldLines, OfALongLineWhatSlurmstepdWouldPassOn) {
    HeldLines held;
    held.take(std::string(1023, 'a'));
    EXPECT_EQ(all_of(held), "");
    held.take("b");
    EXPECT_EQ(all_of(held).size(), 1024U);
    held.take(std::string(2500, 'c'));
    EXPECT_EQ(all_of(held).size(), 2048U);
    EXPECT_EQ(held.held().size(), 452U);
    held.take("\nd");
    EXPECT_EQ(all_of(held).size(), 453U);
    EXPECT_EQ(held.held(), "d");
}

TEST(ShimHeldLines, OursComeBetweenTheTasks) {
    HeldLines held;
    held.take("half");
    held.say("checkpoint: 1\n");
    EXPECT_EQ(all_of(held), "checkpoint: 1\n");
    held.take(std::string(1020, 'a'));
    EXPECT_EQ(all_of(held).size(), 1024U);
    held.say("checkpoint: 2\n");
    EXPECT_EQ(all_of(held), "") << "in the middle of a long line";
    held.take("b\nc");
    EXPECT_EQ(all_of(held), "b\ncheckpoint: 2\n");
    held.end();
    EXPECT_EQ(all_of(held), "c");
}

TEST(ShimHeldLines, UnbufferedTheyWaitForTheLinesEnd) {
    HeldLines held(false);
    held.take("half");
    held.say("checkpoint: 1\n");
    EXPECT_EQ(all_of(held), "half");
    held.take(" and half\nmore");
    EXPECT_EQ(all_of(held), " and half\ncheckpoint: 1\nmore");
    held.say("checkpoint: 2\n");
    held.end();
    EXPECT_EQ(all_of(held), "checkpoint: 2\n");
}

class ShimStreams : public StreamsTest {};

TEST_F(ShimStreams, LinesGoOnAndTheRestIsHeldBack) {
    put(m_tree_out, "a\nb");
    put(m_tree_err, "e");
    turn();
    EXPECT_EQ(get(m_out.read), "a\n");
    EXPECT_EQ(get(m_err.read), "");
    put(m_tree_out, "c\n");
    put(m_tree_err, "f\n");
    turn();
    EXPECT_EQ(get(m_out.read), "bc\n");
    EXPECT_EQ(get(m_err.read), "ef\n");
}

TEST_F(ShimStreams, UnbufferedEverythingGoesOn) {
    start(false);
    put(m_tree_out, "a\nb");
    turn();
    EXPECT_EQ(get(m_out.read), "a\nb");
}

TEST_F(ShimStreams, TheEndOfTheTreeFreesWhatIsHeldBack) {
    put(m_tree_out, "a\nb");
    turn();
    put(m_tree_out, "c");
    m_streams.tree_ended();
    EXPECT_TRUE(m_streams.are_done());
    EXPECT_EQ(get(m_out.read), "a\nbc");
}

TEST_F(ShimStreams, AnOutputThatTheTreeClosesCostsNoTurns) {
    put(m_tree_out, "a");
    m_tree_out.reset();
    turn(); // ends only when there is nothing to do
    EXPECT_EQ(get(m_out.read), "");
    m_streams.tree_ended();
    EXPECT_EQ(get(m_out.read), "a");
}

TEST_F(ShimStreams, InputReachesTheTreeAndEnds) {
    put(m_in.write, "abc");
    turn();
    EXPECT_EQ(get(m_tree_in), "abc");
    put(m_in.write, "def");
    m_in.write.reset();
    turn();
    EXPECT_EQ(get(m_tree_in), "def|");
}

TEST_F(ShimStreams, InputThatTheTreeDoesNotWantIsDropped) {
    m_tree_in.reset();
    const std::string much = lines(1 << 20);
    EXPECT_EQ(push(m_in.write, much), much.size());
    m_in.write.reset();
    turn();
}

TEST_F(ShimStreams, OutputThatIsNotTakenHoldsUpTheTree) {
    const std::string much = lines(4 << 20);
    const std::size_t written = push(m_tree_out, much);
    EXPECT_LT(written, 512U << 10);
    EXPECT_EQ(pull(m_out.read) + std::string(), much.substr(0, much.rfind('\n', written - 1) + 1));
}

TEST_F(ShimStreams, InputThatIsNotTakenHoldsUpSlurmstepd) {
    const std::string much = lines(4 << 20);
    const std::size_t written = push(m_in.write, much);
    EXPECT_LT(written, 512U << 10);
    EXPECT_EQ(pull(m_tree_in), much.substr(0, written));
}

TEST_F(ShimStreams, OutputThatSlurmstepdDoesNotWantFailsInTheTree) {
    put(m_tree_out, "a\n");
    turn();
    m_out.read.reset();
    turn();
    EXPECT_EQ(::write(m_tree_out.get(), "b\n", 2), -1);
    EXPECT_EQ(errno, EPIPE);
    EXPECT_EQ(::write(m_tree_err.get(), "b\n", 2), 2) << "that one has a reader";
    turn();
    EXPECT_EQ(get(m_err.read), "b\n");
    m_streams.tree_ended();
    EXPECT_TRUE(m_streams.are_done());
}

TEST_F(ShimStreams, TheNumbersNameTheTreesPipesForAsLongAsItRuns) {
    const auto same = [](int number, const Fd& end) {
        struct stat a{};
        struct stat b{};
        return ::fstat(number, &a) == 0 && ::fstat(end.get(), &b) == 0 && a.st_ino == b.st_ino &&
               S_ISFIFO(a.st_mode);
    };
    m_in.write.reset();
    turn();
    const auto self = open_pidfd(::getpid());
    for (std::size_t at = 0; const Fd* end : {&m_tree_in, &m_tree_out, &m_tree_err}) {
        const auto taken = take_fd(self->get(), m_streams.stdio().at(at++)); // as ckpt-engine does
        ASSERT_TRUE(taken) << taken.error().what;
        EXPECT_TRUE(same(taken->get(), *end)) << at;
    }
}

TEST_F(ShimStreams, FilesAndNamedPipesStayAsTheyAre) {
    const std::string path = testing::TempDir() + "/ckpt-fifo-" + std::to_string(::getpid());
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    const Fd fifo(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    ::unlink(path.c_str());
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const auto streams = Streams::open({null.get(), fifo.get(), null.get()}, true);
    ASSERT_TRUE(streams);
    EXPECT_EQ(streams->stdio(), (std::array{null.get(), fifo.get(), null.get()}));
    EXPECT_FALSE(streams->carries_errors());
}

TEST_F(ShimStreams, SlurmsDescriptorsKeepTheirFlags) {
    EXPECT_EQ(::fcntl(m_in.read.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(::fcntl(m_out.write.get(), F_GETFL) & O_NONBLOCK, 0);
}

// A descriptor that cannot be opened anew: of a socket nobody can.
TEST(ShimPipeEnd, NeverBlocksOnASharedDescriptor) {
    auto pair = *make_stream_pair();
    auto end = PipeEnd::of(pair.first.get(), O_RDWR);
    ASSERT_TRUE(end);
    std::string got;
    EXPECT_EQ(end->read(got).bytes, 0U);
    const std::string much = lines(8 << 20);
    const Transfer gone = end->write(much);
    EXPECT_LT(gone.bytes, much.size());
    EXPECT_FALSE(gone.ended);
    EXPECT_EQ(::fcntl(pair.first.get(), F_GETFL) & O_NONBLOCK, 0);
}

// ---- much, through processes that block ----

constexpr std::size_t k_much = std::size_t{100} << 20;

std::string piece(std::size_t at) { // of a stream of lines that are not all alike
    std::string text;
    for (std::size_t i = 0; i < 997; ++i)
        text += std::to_string(at * 997 + i) + std::string((at + i) % 90, 'x') + "\n";
    return text;
}

void produce(const Fd& to) {
    std::size_t sent = 0;
    for (std::size_t at = 0; sent < k_much; ++at) {
        const std::string text = piece(at);
        ASSERT_TRUE(write_all(to.get(), text));
        sent += text.size();
    }
}

// Bytes until the end or the first that is wrong.
std::size_t consume(const Fd& from) {
    std::string expected;
    std::size_t total = 0;
    std::array<char, 50'000> chunk{};
    for (std::size_t at = 0;;) {
        const ssize_t n = ::read(from.get(), chunk.data(), chunk.size());
        if (n <= 0) return total;
        const std::string_view got(chunk.data(), static_cast<std::size_t>(n));
        while (expected.size() < got.size())
            expected += piece(at++);
        if (!expected.starts_with(got)) return total;
        expected.erase(0, got.size());
        total += got.size();
    }
}

[[noreturn]] void be_cat(int in, int out) {
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::execlp("cat", "cat", nullptr);
    ::_exit(127);
}

TEST_F(ShimStreams, MuchArrivesAsItWas) {
    for (const int fd : {m_in.write.get(), m_out.read.get(), m_tree_in.get(), m_tree_out.get()})
        ::fcntl(fd, F_SETFL, 0);
    const pid_t tree = ::fork();
    if (tree == 0) be_cat(m_tree_in.get(), m_tree_out.get());
    m_tree_in.reset();
    m_tree_out.reset();
    std::thread producer([this] {
        produce(m_in.write);
        m_in.write.reset();
    });
    std::atomic<std::size_t> arrived{0};
    std::thread consumer([this, &arrived] { arrived = consume(m_out.read); });
    while (::waitpid(tree, nullptr, WNOHANG) == 0)
        turn();
    m_streams.tree_ended();
    while (!m_streams.are_done())
        turn();
    producer.join();
    m_streams = {};
    m_out.write.reset();
    consumer.join();
    std::size_t expected = 0;
    for (std::size_t at = 0; expected < k_much; ++at)
        expected += piece(at).size();
    EXPECT_EQ(arrived, expected);
}

} // namespace
} // namespace ckpt
