// SPDX-License-Identifier: GPL-2.0-or-later
// ckptd goes and comes back.
#include <filesystem>

#include "shim_serve_testbed.hpp"

namespace ckpt {
namespace {

using namespace shim_test;

// A ckptd that comes back at a socket of this test's.
class ShimReturns : public ShimServe {
protected:
    void SetUp() override {
        ShimServe::SetUp();
        std::string name = (std::filesystem::temp_directory_path() / "ckpt-shim-XXXXXX").string();
        m_directory = ::mkdtemp(name.data());
        m_socket = m_directory + "/ckptd.sock";
        m_complain_ms = 60'000;
    }
    void TearDown() override {
        ShimServe::TearDown();
        std::filesystem::remove_all(m_directory);
    }
    void restart_ckptd() {
        m_ckptd.reset();
        const auto listener = listen_at(m_socket, 0600);
        ASSERT_TRUE(listener) << listener.error().what;
        pollfd waiting{listener->get(), POLLIN, 0};
        ASSERT_EQ(::poll(&waiting, 1, 5000), 1) << "it was not looked for";
        m_ckptd = std::move(*accept_from(listener->get()));
        const auto packet = receive_packet(m_ckptd.get(), 2s);
        ASSERT_TRUE(packet);
        m_hello = *wire::decode<wire::TaskHello>(packet->bytes);
        ASSERT_TRUE(m_hello.returning);
    }
    std::string m_directory;
    wire::TaskHello m_hello;
};

TEST_F(ShimReturns, WhenCkptdWentBeforeItHeardOfTheTree) {
    m_lost = true;
    start(false);
    restart_ckptd();
    order(wire::Order::known);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
}

TEST_F(ShimReturns, AsIfNothingHadBeen) {
    start(true);
    restart_ckptd();
    EXPECT_FALSE(m_hello.term_delivered);
    order(wire::Order::known);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
    EXPECT_EQ(next_in_tree(300ms).signal, 0);
    order(wire::Order::relay);
    EXPECT_EQ(next_in_tree().signal, SIGTERM);
    tree_reports(W_EXITCODE(5, 0));
    expect_from_shim<wire::TreeExited>();
    order(wire::Order::leave);
    EXPECT_EQ(end_of_shim(), W_EXITCODE(5, 0));
    EXPECT_EQ(said(), "");
}

TEST_F(ShimReturns, AndTellsOfATermThatItDelivered) {
    start(true);
    m_ckptd.reset();
    ::kill(m_shim, SIGTERM);
    EXPECT_EQ(next_in_tree().signal, SIGTERM);
    restart_ckptd();
    EXPECT_TRUE(m_hello.term_delivered);
}

TEST_F(ShimReturns, InTimeToReportTheEnd) {
    start(true);
    m_ckptd.reset();
    tree_reports(W_EXITCODE(5, 0));
    restart_ckptd();
    expect_from_shim<wire::TreeExited>();
    order(wire::Order::known);
    order(wire::Order::leave);
    EXPECT_EQ(end_of_shim(), W_EXITCODE(5, 0));
}

TEST_F(ShimReturns, NotASecondTimeToOneThatDoesNotKnowIt) {
    start(true);
    restart_ckptd();
    const auto listener = listen_at(m_socket, 0600);
    ASSERT_TRUE(listener);
    ASSERT_TRUE(send_packet(m_ckptd.get(), wire::encode(wire::Answer{304, 0, "no"})));
    m_ckptd.reset();
    pollfd waiting{listener->get(), POLLIN, 0};
    EXPECT_EQ(::poll(&waiting, 1, 500), 0);
    ::kill(m_shim, SIGTERM);
    EXPECT_EQ(next_in_tree().signal, SIGTERM);
    tree_reports(W_EXITCODE(5, 0));
    EXPECT_EQ(end_of_shim(), W_EXITCODE(5, 0));
}

} // namespace
} // namespace ckpt
