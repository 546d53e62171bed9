// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "link/listen.hpp"
#include "link_testbed.hpp"
#include "os/socket.hpp"

namespace ckpt::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(LinkPairTest, MessagesArriveInOrderInBothDirections) {
    ASSERT_TRUE(m_one.send("a"));
    ASSERT_TRUE(m_one.send(""));
    ASSERT_TRUE(m_one.send(std::string("\0b", 2)));
    ASSERT_TRUE(m_other.send("back"));
    EXPECT_THAT(m_other.receive().value(), ElementsAre("a", "", std::string("\0b", 2)));
    EXPECT_THAT(m_one.receive().value(), ElementsAre("back"));
    EXPECT_THAT(m_one.receive().value(), IsEmpty()) << "it does not wait";
}

TEST_F(LinkPairTest, TheLargestMessageArrivesWhole) {
    const std::string large(Link::k_message_max, 'm');
    ASSERT_TRUE(m_one.send(large));
    EXPECT_TRUE(m_one.wants_to_write()) << "no socket takes that much at once";
    std::vector<std::string> got;
    while (got.empty()) {
        ASSERT_TRUE(m_one.flush());
        got = received(m_other);
    }
    EXPECT_THAT(got, ElementsAre(large));
    EXPECT_FALSE(m_one.wants_to_write());
    const auto sent = m_one.send(large + "m");
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Code::internal);
    ASSERT_TRUE(m_one.send("and on"));
    EXPECT_THAT(m_other.receive().value(), ElementsAre("and on"));
}

TEST_F(LinkPairTest, WhoIsNotReadKeepsSoMuchAndNoMore) {
    const std::string large(Link::k_message_max, 'm');
    std::size_t taken = 0;
    Status sent;
    while ((sent = m_one.send(large)))
        ASSERT_LT(++taken, 100U);
    EXPECT_EQ(sent.error().code, Code::deadline);
    EXPECT_GE(taken, Link::k_queue_max / large.size() - 1);
    // what was taken comes, and the link goes on
    std::size_t came = 0;
    while (came < taken) {
        ASSERT_TRUE(m_one.flush());
        for (const std::string& message : received(m_other)) {
            EXPECT_TRUE(message == large);
            ++came;
        }
    }
    ASSERT_TRUE(m_one.send("on"));
    EXPECT_THAT(m_other.receive().value(), ElementsAre("on"));
    EXPECT_FALSE(m_one.wants_to_write());
}

TEST_F(LinkPairTest, AMovedLinkGoesOn) {
    ASSERT_TRUE(m_one.send("1"));
    Link moved = std::move(m_one);
    ASSERT_TRUE(moved.send("2"));
    Link target = std::move(m_other);
    EXPECT_THAT(target.receive().value(), ElementsAre("1", "2"));
}

TEST_F(HalfLinkTest, WhatComesByteForByteIsPutTogether) {
    std::string all;
    for (const std::string& frame : frames_of({"first", "", "second"}))
        all += frame;
    std::vector<std::string> got;
    for (const char c : all) {
        send_raw(m_peer.get(), {&c, 1});
        for (std::string& message : received(m_link))
            got.push_back(std::move(message));
    }
    EXPECT_THAT(got, ElementsAre("first", "", "second"));
}

TEST_F(HalfLinkTest, WhatCameBeforeTheEndIsNotLost) {
    send_raw(m_peer.get(), frames_of({"last words"}).front());
    m_peer.reset();
    EXPECT_THAT(m_link.receive().value(), ElementsAre("last words"));
    ASSERT_TRUE(can_be_read(m_link)) << "else nobody would ask for the failure";
    expect_failed(Code::not_found);
}

TEST_F(HalfLinkTest, AnEndInTheMiddleOfAFrameIsAnEnd) {
    const std::string frame = frames_of({"cut short"}).front();
    send_raw(m_peer.get(), frame.substr(0, frame.size() - 1));
    EXPECT_THAT(m_link.receive().value(), IsEmpty());
    m_peer.reset();
    expect_failed(Code::not_found);
}

TEST_F(HalfLinkTest, SendingToAPeerThatHasGoneFails) {
    m_peer.reset();
    const auto sent = m_link.send("?");
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Code::not_found);
    expect_failed(Code::not_found);
}

// Both ends over TCP, on a port that the kernel chooses.
class TcpLinkTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto listener = listen_tcp(0);
        ASSERT_TRUE(listener) << one_line(listener.error());
        m_listener = std::move(*listener);
        sockaddr_in6 address{};
        socklen_t size = sizeof address;
        ASSERT_EQ(::getsockname(m_listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
        m_port = address.sin6_port; // where that of sockaddr_in is, too
    }
    [[nodiscard]] Fd connect_ipv4() const {
        Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = m_port;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        return fd;
    }
    static int option(int fd, int level, int name) {
        int value = -1;
        socklen_t size = sizeof value;
        EXPECT_EQ(::getsockopt(fd, level, name, &value, &size), 0);
        return value;
    }
    Fd m_listener;
    in_port_t m_port = 0;
};

TEST_F(TcpLinkTest, MessagesPassAndADeadNodeWouldBeNoticed) {
    EXPECT_FALSE(accept_from(m_listener.get())) << "it does not wait";
    Link one = opened(connect_ipv4(), k_one_key, k_other_key);
    Link other = opened(accept_from(m_listener.get()).value(), k_other_key, k_one_key);
    ASSERT_TRUE(one.send("over TCP"));
    pollfd wait{other.fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&wait, 1, 10'000), 1);
    EXPECT_THAT(other.receive().value(), ElementsAre("over TCP"));
    for (const Link* link : {&one, &other}) {
        EXPECT_EQ(option(link->fd(), IPPROTO_TCP, TCP_NODELAY), 1);
        EXPECT_EQ(option(link->fd(), SOL_SOCKET, SO_KEEPALIVE), 1);
        EXPECT_EQ(option(link->fd(), IPPROTO_TCP, TCP_USER_TIMEOUT), 30'000);
    }
}

TEST_F(TcpLinkTest, APortThatIsTakenIsSaid) {
    const auto second = listen_tcp(ntohs(m_port));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().errnum, EADDRINUSE);
}

TEST(LinkOpen, KeysOfTheWrongLengthAreRefused) {
    auto pair = make_stream_pair().value();
    EXPECT_FALSE(Link::open(std::move(pair.first), k_one_key + "x", k_other_key));
    EXPECT_FALSE(Link::open(std::move(pair.second), k_one_key, ""));
}

} // namespace
} // namespace ckpt::test
