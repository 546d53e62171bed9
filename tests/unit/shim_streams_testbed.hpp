// SPDX-License-Identifier: GPL-2.0-or-later
// A step's streams between a slurmstepd and a tree that this test plays, each with its ends of real pipes.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include "os/files.hpp"
#include "shim/streams.hpp"

namespace ckpt::shim_test {

inline std::string lines(std::size_t bytes) {
    std::string text;
    for (std::size_t i = 0; text.size() < bytes; ++i)
        text += "line " + std::to_string(i) + "\n";
    return text;
}

class StreamsTest : public testing::Test {
protected:
    void SetUp() override {
        (void)::signal(SIGPIPE, SIG_IGN);
        start(true);
    }
    // As a shim does with a fresh tree or, before restored(), with one that was restored.
    void start(bool whole_lines) {
        for (Pipe* pipe : {&m_in, &m_out, &m_err})
            *pipe = *make_pipe();
        auto streams = Streams::open({m_in.read.get(), m_out.write.get(), m_err.write.get()}, whole_lines);
        ASSERT_TRUE(streams) << streams.error().what;
        m_streams = std::move(*streams);
        const auto stdio = m_streams.stdio();
        m_tree_in = *duplicate(stdio[0]);
        m_tree_out = *duplicate(stdio[1]);
        m_tree_err = *duplicate(stdio[2]);
        ASSERT_TRUE(m_streams.tree_started());
        for (const int fd : {m_in.write.get(), m_out.read.get(), m_err.read.get(), m_tree_in.get(),
                             m_tree_out.get(), m_tree_err.get()})
            ::fcntl(fd, F_SETFL, O_NONBLOCK);
    }
    // The shim's loop, until there is nothing to do.
    void turn() {
        for (;;) {
            std::vector<pollfd> fds;
            m_streams.add_to(fds);
            if (::poll(fds.data(), fds.size(), 20) <= 0) return;
            m_streams.serve(fds);
        }
    }
    static void put(const Fd& fd, const std::string& bytes) {
        ASSERT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    }
    // What can be read; "…|" at its end when that is the end.
    static std::string get(const Fd& fd) {
        std::string text;
        std::array<char, 65536> chunk{};
        for (;;) {
            const ssize_t n = ::read(fd.get(), chunk.data(), chunk.size());
            if (n == 0) return text + "|";
            if (n < 0) return text;
            text.append(chunk.data(), static_cast<std::size_t>(n));
        }
    }
    // As much of it as goes, with the shim at work; how much that was.
    std::size_t push(const Fd& fd, const std::string& bytes) {
        std::size_t done = 0;
        while (done < bytes.size()) {
            const ssize_t n = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
            if (n < 0 && errno != EAGAIN) return done;
            if (n > 0) done += static_cast<std::size_t>(n);
            const std::size_t before = done;
            turn();
            const ssize_t again = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
            if (again > 0) done += static_cast<std::size_t>(again);
            if (done == before) return done;
        }
        turn();
        return done;
    }
    // All that can be read, with the shim at work.
    std::string pull(const Fd& fd) {
        std::string text;
        for (;;) {
            const std::string more = get(fd);
            text += more;
            if (more.empty() || more.ends_with('|')) return text;
            turn();
        }
    }
    wire::StreamsRecord settled(bool expected_at_rest) {
        wire::ShimState state;
        bool at_rest = true;
        const Status status = m_streams.settle(state, at_rest);
        EXPECT_TRUE(status) << status.error().what;
        EXPECT_EQ(at_rest, expected_at_rest);
        return state.streams;
    }

    Pipe m_in; // slurmstepd's: it has in.write, out.read, err.read
    Pipe m_out;
    Pipe m_err;
    Fd m_tree_in;
    Fd m_tree_out;
    Fd m_tree_err;
    Streams m_streams;
};

} // namespace ckpt::shim_test
