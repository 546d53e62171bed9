// SPDX-License-Identifier: GPL-2.0-or-later
// A link whose other end is a plain stream, with its frames made and read by hand, and one between two links.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "link/link.hpp"
#include "os/stream.hpp"

namespace ckpt::test {

inline const std::string k_one_key(k_link_key_size, '\x11');
inline const std::string k_other_key(k_link_key_size, '\x22');

inline Link opened(Fd socket, const std::string& send_key, const std::string& receive_key) {
    auto link = Link::open(std::move(socket), send_key, receive_key);
    EXPECT_TRUE(link) << one_line(link ? Error{} : link.error());
    return std::move(*link);
}

// The frames of these messages, as the first of a direction.
inline std::vector<std::string> frames_of(const std::vector<std::string>& messages,
                                          const std::string& key = k_other_key) {
    auto sealer = FrameSealer::start(key).value();
    std::vector<std::string> frames;
    for (const std::string& message : messages)
        EXPECT_TRUE(sealer.seal(message, frames.emplace_back()));
    return frames;
}

inline void send_raw(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        ASSERT_GT(n, 0);
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

inline std::vector<std::string> received(Link& link) {
    auto messages = link.receive();
    EXPECT_TRUE(messages) << one_line(messages ? Error{} : messages.error());
    return messages ? std::move(*messages) : std::vector<std::string>{};
}

// Whether somebody who watches the link for reading is told that there is something.
inline bool can_be_read(const Link& link) {
    pollfd one{link.fd(), POLLIN, 0};
    return ::poll(&one, 1, 0) == 1;
}

class HalfLinkTest : public ::testing::Test {
protected:
    HalfLinkTest() : HalfLinkTest(make_stream_pair().value()) {}
    explicit HalfLinkTest(std::pair<Fd, Fd> pair)
        : m_link(opened(std::move(pair.first), k_one_key, k_other_key)), m_peer(std::move(pair.second)) {}

    void expect_failed(Code code) {
        const auto got = m_link.receive();
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, code) << one_line(got.error());
        const auto sent = m_link.send("more");
        ASSERT_FALSE(sent) << "a link that has failed stays so";
        EXPECT_EQ(sent.error().code, code);
        EXPECT_FALSE(m_link.flush());
        EXPECT_FALSE(m_link.receive());
        EXPECT_FALSE(m_link.wants_to_write());
    }

    Link m_link;
    Fd m_peer;
};

class LinkPairTest : public ::testing::Test {
protected:
    LinkPairTest() : LinkPairTest(make_stream_pair().value()) {}
    explicit LinkPairTest(std::pair<Fd, Fd> pair)
        : m_one(opened(std::move(pair.first), k_one_key, k_other_key)),
          m_other(opened(std::move(pair.second), k_other_key, k_one_key)) {}

    Link m_one;
    Link m_other;
};

} // namespace ckpt::test
