// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include <gmock/gmock.h>

#include "daemon/loop.hpp"
#include "os/stream.hpp"

namespace ckpt {
namespace {

class LoopTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto pair = make_stream_pair();
        ASSERT_TRUE(pair);
        m_ours = std::move(pair->first);
        m_theirs = std::move(pair->second);
    }
    // Until the kernel takes no more. Returns how much that was.
    [[nodiscard]] std::size_t fill() const {
        const std::string chunk(4096, 'x');
        std::size_t sent = 0;
        for (;;) {
            const ssize_t n = ::send(m_ours.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
            if (n <= 0) return sent;
            sent += static_cast<std::size_t>(n);
        }
    }
    void drain(std::size_t bytes) const {
        std::string buffer(4096, '\0');
        while (bytes > 0) {
            const ssize_t n = ::recv(m_theirs.get(), buffer.data(), std::min(bytes, buffer.size()), 0);
            ASSERT_GT(n, 0);
            bytes -= static_cast<std::size_t>(n);
        }
    }
    Loop m_loop;
    Fd m_ours;
    Fd m_theirs;
};

TEST_F(LoopTest, WhatCanBeWrittenToIsSaidAgainAndAgain) {
    int times = 0;
    m_loop.watch_writable(m_ours.get(), [&] {
        if (++times == 3) m_loop.stop();
    });
    m_loop.run();
    EXPECT_EQ(times, 3);
}

TEST_F(LoopTest, AFullSocketIsWaitedForUntilItIsRead) {
    const std::size_t full = fill();
    ASSERT_GT(full, 0U);
    bool was_read = false;
    m_loop.watch_writable(m_ours.get(), [&] {
        EXPECT_TRUE(was_read);
        m_loop.stop();
    });
    m_loop.after(std::chrono::milliseconds(0), [&] {
        was_read = true;
        drain(full);
    });
    m_loop.run();
    EXPECT_TRUE(was_read);
}

TEST_F(LoopTest, OneDescriptorIsWatchedForBoth) {
    const std::size_t full = fill();
    ASSERT_EQ(::send(m_theirs.get(), "y", 1, 0), 1);
    std::string order;
    Loop::Id reading = 0;
    const Loop::Id writing = m_loop.watch_writable(m_ours.get(), [&] {
        order += 'w';
        m_loop.stop();
    });
    reading = m_loop.watch(m_ours.get(), [&] {
        order += 'r';
        m_loop.cancel(reading);
        drain(full);
    });
    m_loop.run();
    EXPECT_EQ(order, "rw");
    m_loop.cancel(writing);
}

TEST_F(LoopTest, ACancelledWatchIsSilent) {
    const Loop::Id writing = m_loop.watch_writable(m_ours.get(), [] { ADD_FAILURE(); });
    m_loop.cancel(writing);
    m_loop.watch_writable(m_ours.get(), [&] { m_loop.stop(); });
    m_loop.run();
}

TEST_F(LoopTest, WhoWaitsToWriteLearnsThatTheOtherHasGone) {
    ASSERT_GT(fill(), 0U);
    m_loop.watch_writable(m_ours.get(), [&] { m_loop.stop(); });
    m_loop.after(std::chrono::milliseconds(0), [&] { m_theirs.reset(); });
    m_loop.run();
    EXPECT_EQ(::send(m_ours.get(), "z", 1, MSG_NOSIGNAL | MSG_DONTWAIT), -1);
}

} // namespace
} // namespace ckpt
