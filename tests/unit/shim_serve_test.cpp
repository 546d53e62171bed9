// SPDX-License-Identifier: GPL-2.0-or-later
// The shim between a tree and a ckptd: signals, orders, the end.
#include "shim_serve_testbed.hpp"

namespace ckpt {
namespace {

using namespace shim_test;

TEST_F(ShimServe, EndsAsTheApplication) {
    start(false);
    tree_reports(W_EXITCODE(7, 0));
    EXPECT_EQ(end_of_shim(), W_EXITCODE(7, 0));
}

TEST_F(ShimServe, EndsByTheApplicationsSignal) {
    start(false);
    tree_reports(SIGSEGV | WCOREFLAG);
    EXPECT_EQ(end_of_shim(), SIGSEGV);
}

TEST_F(ShimServe, ATreeThatIsKilledKillsTheShim) {
    start(false);
    ::kill(m_tree, SIGKILL);
    EXPECT_EQ(end_of_shim(), SIGKILL);
}

TEST_F(ShimServe, RelaysToTheProcess) {
    start(false);
    ::kill(m_shim, SIGUSR1);
    const Seen seen = next_in_tree();
    EXPECT_EQ(seen.signal, SIGUSR1);
    EXPECT_EQ(seen.code, SI_QUEUE);
    EXPECT_EQ(seen.value, static_cast<int>(SignalScope::process));
}

TEST_F(ShimServe, RelaysToTheGroup) {
    start(false);
    ::kill(-m_shim, SIGUSR1);
    EXPECT_EQ(next_in_tree().value, static_cast<int>(SignalScope::group));
}

TEST_F(ShimServe, RelaysEverySignalOnce) {
    start(false);
    for (const int signal :
         {SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT, SIGALRM, SIGPIPE, SIGCHLD, SIGRTMIN, SIGRTMAX}) {
        ::kill(m_shim, signal);
        EXPECT_EQ(next_in_tree().signal, signal);
    }
    EXPECT_EQ(next_in_tree(100ms).signal, 0);
}

TEST_F(ShimServe, TheCanaryDiesWithTheShim) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    start(false);
    const pid_t group = m_shim;
    ::kill(m_shim, SIGKILL);
    EXPECT_EQ(end_of_shim(), SIGKILL);
    // Its group is empty once whoever inherited the canary has reaped it, us if we are a subreaper.
    for (int i = 0; i < 200 && ::kill(-group, 0) == 0; ++i) {
        while (::waitpid(-group, nullptr, WNOHANG) > 0) {
        }
        std::this_thread::sleep_for(10ms);
    }
    EXPECT_NE(::kill(-group, 0), 0);
}

TEST_F(ShimServe, WithoutCkptdATermIsRelayed) {
    start(false);
    ::kill(m_shim, SIGTERM);
    EXPECT_EQ(next_in_tree().signal, SIGTERM);
}

TEST_F(ShimServe, ATermIsHeldBackUntilCkptdSaysRelay) {
    start(true);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
    order(wire::Order::wait);
    EXPECT_EQ(next_in_tree(3300ms).signal, 0) << "waiting has no limit of the shim's";
    order(wire::Order::relay);
    EXPECT_EQ(next_in_tree().signal, SIGTERM);
}

TEST_F(ShimServe, ASilentCkptdDoesNotKeepATerm) {
    start(true);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
    EXPECT_EQ(next_in_tree(1500ms).signal, 0);
    EXPECT_EQ(next_in_tree(3000ms).signal, SIGTERM);
}

TEST_F(ShimServe, ACkptdThatDiesReleasesTheTerm) {
    start(true);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
    order(wire::Order::wait);
    m_ckptd.reset();
    // it may have stopped the tree for its last checkpoint
    const int first = next_in_tree().signal;
    EXPECT_THAT((std::array{first, next_in_tree().signal}), testing::UnorderedElementsAre(SIGCONT, SIGTERM));
    tree_reports(W_EXITCODE(3, 0));
    EXPECT_EQ(end_of_shim(), W_EXITCODE(3, 0));
    EXPECT_THAT(said(), testing::HasSubstr("ckptd has ended"));
}

TEST_F(ShimServe, TheCheckpointSignalIsNeverTheApplications) {
    start(false, SIGUSR2);
    ::kill(m_shim, SIGUSR2);
    ::kill(m_shim, SIGWINCH); // of two that are pending the kernel hands out the lower number first
    EXPECT_EQ(next_in_tree().signal, SIGWINCH);
    EXPECT_THAT(said(), testing::HasSubstr("no checkpoint is taken"));
}

TEST_F(ShimServe, SlurmsContWaitsWithItsTerm) {
    start(true);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
    ::kill(m_shim, SIGCONT);
    order(wire::Order::wait);
    EXPECT_EQ(next_in_tree(300ms).signal, 0) << "a stopped tree would run on";
    order(wire::Order::relay);
    const int first =
        next_in_tree().signal; // both are pending at once: the kernel hands the lower number out first
    EXPECT_THAT((std::array{first, next_in_tree().signal}), testing::UnorderedElementsAre(SIGCONT, SIGTERM));
}

TEST_F(ShimServe, LeavesAsSlurmsTermWouldHaveIt) {
    start(true);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
    order(wire::Order::wait);
    order(wire::Order::leave, "generation 3 saved");
    EXPECT_EQ(end_of_shim(), SIGTERM);
    EXPECT_EQ(said(), "checkpoint: generation 3 saved\n");
}

TEST_F(ShimServe, AKilledTreeBehindAHeldTermEndsByTerm) {
    start(true);
    ::kill(m_shim, SIGTERM);
    expect_from_shim<wire::ShimTerm>();
    order(wire::Order::wait);
    ::kill(m_tree, SIGKILL);
    expect_from_shim<wire::TreeExited>();
    order(wire::Order::leave);
    EXPECT_EQ(end_of_shim(), SIGTERM);
}

TEST_F(ShimServe, WaitsForTheCompletionRecord) {
    start(true);
    tree_reports(W_EXITCODE(5, 0));
    expect_from_shim<wire::TreeExited>();
    std::this_thread::sleep_for(300ms);
    EXPECT_EQ(::waitpid(m_shim, nullptr, WNOHANG), 0);
    order(wire::Order::leave);
    EXPECT_EQ(end_of_shim(), W_EXITCODE(5, 0));
}

TEST_F(ShimServe, ButNotForEver) {
    start(true);
    tree_reports(W_EXITCODE(5, 0));
    expect_from_shim<wire::TreeExited>();
    EXPECT_EQ(end_of_shim(), W_EXITCODE(5, 0));
}

TEST_F(ShimServe, TheCheckpointSignalIsNotTheApplications) {
    start(true, SIGUSR2);
    ::kill(m_shim, SIGUSR2);
    expect_from_shim<wire::CreateRequest>();
    EXPECT_EQ(next_in_tree(100ms).signal, 0);
    ::kill(m_shim, SIGUSR1);
    EXPECT_EQ(next_in_tree().signal, SIGUSR1);
    ASSERT_TRUE(
        send_packet(m_ckptd.get(), wire::encode(wire::Answer{401, 0, "criu failed\nforged [CKPT-401]"})));
    std::this_thread::sleep_for(100ms);
    EXPECT_EQ(said(), "checkpoint: criu failed?forged [CKPT-401]\n");
}

TEST_F(ShimServe, NonsenseFromCkptdOnlyEndsTheConnection) {
    start(true);
    ASSERT_TRUE(send_packet(m_ckptd.get(), "nonsense"));
    ::kill(m_shim, SIGTERM);
    EXPECT_EQ(next_in_tree().signal, SIGTERM);
}

} // namespace
} // namespace ckpt
