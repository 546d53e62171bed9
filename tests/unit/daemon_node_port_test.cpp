// SPDX-License-Identifier: GPL-2.0-or-later
// Who may wait for how long at the port between nodes, whatever those do who are there already.
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <list>

#include <gmock/gmock.h>

#include "daemon/node_port.hpp"
#include "network_testbed.hpp"

namespace ckpt::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class NodePortTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root for a network of its own";
        if (!enter_own_network()) GTEST_SKIP() << "needs CAP_SYS_ADMIN for a network of its own";
        ASSERT_TRUE(m_port.open(0));
    }
    void run_until(const std::function<bool()>& there) {
        const auto end = Loop::Clock::now() + std::chrono::seconds(60);
        const std::function<void()> look = [&] {
            ASSERT_LT(Loop::Clock::now(), end);
            if (there()) return m_loop.stop();
            m_loop.after(std::chrono::milliseconds(1), look);
        };
        look();
        if (!there()) m_loop.run();
    }
    void connect(std::uint8_t host, std::size_t times = 1) {
        for (std::size_t i = 0; i < times; ++i) {
            m_clients.push_back(connect_from(host, m_next--, port_of(m_port.fd())));
            ASSERT_TRUE(m_clients.back()) << int{host};
        }
    }
    // Connections that nobody has accepted.
    [[nodiscard]] std::size_t backlog() const {
        tcp_info info{};
        socklen_t size = sizeof info;
        EXPECT_EQ(::getsockopt(m_port.fd(), IPPROTO_TCP, TCP_INFO, &info, &size), 0);
        return info.tcpi_unacked;
    }
    void accept_all() {
        run_until([&] { return backlog() == 0; });
    }
    // Twice, so that what could be accepted has been.
    void turn() {
        for (int i = 0; i < 2; ++i) {
            m_loop.after(std::chrono::milliseconds(10), [&] { m_loop.stop(); });
            m_loop.run();
        }
    }
    void hear_one() {
        const std::string address = m_arrived.front().address;
        m_arrived.pop_front();
        m_port.heard(address);
    }
    [[nodiscard]] std::size_t heard_from(const std::string& address) const {
        return static_cast<std::size_t>(std::ranges::count(m_arrived, address, &TcpCaller::address));
    }

    Loop m_loop;
    std::list<TcpCaller> m_arrived; // and not heard yet
    std::vector<std::string> m_ever;
    std::vector<std::string> m_refused;
    NodePort m_port{m_loop,
                    [this](TcpCaller caller) {
                        m_ever.push_back(caller.address);
                        m_arrived.push_back(std::move(caller));
                    },
                    [this](const std::string& why) { m_refused.push_back(why); }};
    std::vector<Fd> m_clients;
    std::uint16_t m_next = 1023;
};

TEST_F(NodePortTest, WhoConnectsIsHeard) {
    connect(7);
    run_until([&] { return !m_arrived.empty(); });
    EXPECT_EQ(m_arrived.front().address, "127.0.0.7");
    EXPECT_EQ(m_arrived.front().port, 1023);
    EXPECT_THAT(m_refused, IsEmpty());
}

TEST_F(NodePortTest, NoUserIsHeard) {
    constexpr std::array<std::uint16_t, 3> k_ports{1024, 6821, 65535};
    for (const std::uint16_t port : k_ports)
        m_clients.push_back(connect_from(2, port, port_of(m_port.fd())));
    run_until([&] { return m_refused.size() == k_ports.size(); });
    EXPECT_THAT(m_refused.front(), HasSubstr("port 1024 of 127.0.0.2"));
    EXPECT_THAT(m_ever, IsEmpty());
    for (const Fd& client : m_clients) {
        char byte = 0;
        EXPECT_EQ(::recv(client.get(), &byte, 1, 0), 0) << "it is closed";
    }
    connect(2);
    run_until([&] { return m_arrived.size() == 1; });
}

TEST_F(NodePortTest, WhoIsSilentKeepsNobodyElseOut) {
    connect(2, NodePort::k_heard_each + NodePort::k_waiting_each);
    accept_all();
    EXPECT_EQ(m_arrived.size(), NodePort::k_heard_each);
    EXPECT_THAT(m_refused, IsEmpty());
    connect(2);
    run_until([&] { return !m_refused.empty(); });
    EXPECT_THAT(m_refused, ElementsAre(HasSubstr("127.0.0.2")));
    connect(3);
    run_until([&] { return heard_from("127.0.0.3") == 1; });
}

TEST_F(NodePortTest, WhoWaitsIsHeardInTurn) {
    connect(2, NodePort::k_heard_each + 2);
    accept_all();
    EXPECT_EQ(m_arrived.size(), NodePort::k_heard_each);
    hear_one();
    hear_one();
    EXPECT_EQ(m_arrived.size(), NodePort::k_heard_each);
    hear_one();
    EXPECT_EQ(m_arrived.size(), NodePort::k_heard_each - 1);
}

TEST_F(NodePortTest, SoManyAreHeardAtATime) {
    constexpr std::size_t k_hosts = NodePort::k_heard_max / NodePort::k_heard_each;
    for (std::size_t host = 0; host < k_hosts + 1; ++host)
        connect(static_cast<std::uint8_t>(2 + host), NodePort::k_heard_each);
    accept_all();
    EXPECT_EQ(m_arrived.size(), NodePort::k_heard_max);
    EXPECT_EQ(heard_from("127.0.0.6"), 0U);
    hear_one();
    EXPECT_EQ(heard_from("127.0.0.6"), 1U);
}

// As at a SIGHUP. What is full stays so, and what becomes free is used.
TEST_F(NodePortTest, AnotherPortHasNoOtherLimits) {
    constexpr std::size_t k_hosts = 8;
    constexpr std::size_t k_all = NodePort::k_heard_max + NodePort::k_waiting_max;
    for (std::size_t host = 0; host < k_hosts; ++host) {
        connect(static_cast<std::uint8_t>(2 + host), k_all / k_hosts);
        accept_all();
    }
    connect(20);
    turn();
    EXPECT_EQ(backlog(), 1U);
    ASSERT_TRUE(m_port.open(0));
    ASSERT_TRUE(m_port.open(0));
    connect(20);
    turn();
    EXPECT_EQ(backlog(), 1U);
    EXPECT_EQ(m_arrived.size(), NodePort::k_heard_max);
    hear_one();
    accept_all();
    EXPECT_EQ(m_arrived.size(), NodePort::k_heard_max);
    connect(21);
    turn();
    EXPECT_EQ(backlog(), 1U);
    while (!m_arrived.empty()) {
        hear_one();
        accept_all();
    }
    EXPECT_EQ(m_ever.size(), k_all + 2);
    EXPECT_THAT(m_ever, Contains("127.0.0.20"));
    EXPECT_THAT(m_ever, Contains("127.0.0.21"));
    EXPECT_THAT(m_refused, IsEmpty());
}

TEST_F(NodePortTest, NobodyIsHeardAtAClosedPort) {
    const std::uint16_t port = port_of(m_port.fd());
    m_port.close();
    EXPECT_FALSE(connect_from(2, 0, port));
    turn();
    ASSERT_TRUE(m_port.open(port));
    connect(2);
    run_until([&] { return m_arrived.size() == 1; });
}

TEST_F(NodePortTest, WithoutDescriptorsItWaits) {
    connect(2);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const int next = ::dup(0);
    ::close(next);
    const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    turn();
    EXPECT_THAT(m_arrived, IsEmpty());
    EXPECT_EQ(backlog(), 1U);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    run_until([&] { return m_arrived.size() == 1; });
}

} // namespace
} // namespace ckpt::test
