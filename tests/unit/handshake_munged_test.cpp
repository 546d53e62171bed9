// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-handshake as ckptd starts it, with the real munged, on a network of its own.
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <functional>

#include <gmock/gmock.h>

#include "handshake/handshake.hpp"
#include "link/link.hpp"
#include "link/listen.hpp"
#include "network_testbed.hpp"
#include "os/process.hpp"
#include "os/socket.hpp"
#include "wire/link_messages.hpp"

namespace ckpt::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::chrono::seconds k_limit{60};
constexpr std::uint32_t k_timeout_ms = 30'000;
constexpr uid_t k_user = 12345;
const wire::LinkHello k_hello{4711, 2, "00112233445566778899aabbccddeeff", "n1"};

// A munged with a key of its own below /run, which is the test's.
class MungedAt {
public:
    explicit MungedAt(std::string dir, char key) : m_dir(std::move(dir)) {
        EXPECT_EQ(::mkdir(m_dir.c_str(), 0755), 0);
        std::ofstream(m_dir + "/key") << std::string(64, key);
        EXPECT_EQ(::chmod((m_dir + "/key").c_str(), 0400), 0);
        EXPECT_EQ(run({"--key-file=" + m_dir + "/key", "--pid-file=" + m_dir + "/pid",
                       "--log-file=" + m_dir + "/log", "--seed-file=" + m_dir + "/seed"}),
                  0);
    }
    MungedAt(const MungedAt&) = delete;
    MungedAt& operator=(const MungedAt&) = delete;
    ~MungedAt() { stop(); }
    void stop() {
        if (!m_runs) return;
        EXPECT_EQ(run({"--stop"}), 0);
        m_runs = false;
    }
    [[nodiscard]] std::string socket() const { return m_dir + "/munge.socket.2"; }
    void signal(int number) const {
        pid_t pid = 0;
        std::ifstream(m_dir + "/pid") >> pid;
        ASSERT_GT(pid, 0);
        ASSERT_EQ(::kill(pid, number), 0);
    }

private:
    // It comes back when the daemon listens, or has ended.
    [[nodiscard]] int run(const std::vector<std::string>& options) const {
        SpawnSpec spec;
        spec.path = "/usr/sbin/munged";
        spec.argv = {spec.path, "--socket=" + socket()};
        spec.argv.insert(spec.argv.end(), options.begin(), options.end());
        spec.fds = {{2, 2}};
        auto child = spawn(spec);
        if (!child) return -1;
        const auto status = child->wait(k_limit);
        return status ? *status : -1;
    }
    std::string m_dir;
    bool m_runs = true;
};

// Runs it as a user; whether it was true.
bool as_user(const std::function<bool()>& what) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(drop_to(*Root::claim(), {k_user, k_user, {}}) && what() ? 0 : 1);
    int status = -1;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return status == 0;
}

class MungedTest : public ::testing::Test {
protected:
    // Mounts and network of one test are its own and go with it: every test of ctest is a process.
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount a file system";
        if (::access("/usr/sbin/munged", X_OK) != 0) GTEST_SKIP() << "needs munged";
        if (!enter_own_network() || ::unshare(CLONE_NEWNS) != 0 ||
            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
            GTEST_SKIP() << "needs CAP_SYS_ADMIN to mount a file system";
        ASSERT_EQ(::mount("run", "/run", "tmpfs", 0, "mode=0755"), 0);
        m_munged.emplace("/run/munge", 'k'); // where libmunge looks
    }
    void TearDown() override { m_munged.reset(); }
    std::optional<MungedAt> m_munged;
};

TEST_F(MungedTest, ACredentialIsReadOnce) {
    Munged munge;
    const std::string text = munge.encode("secret").value();
    EXPECT_EQ(payload_of(munge.decode(text)).value(), "secret");
    const auto again = payload_of(munge.decode(text));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Code::not_permitted);
    EXPECT_THAT(again.error().what, HasSubstr("used before"));
}

TEST_F(MungedTest, NoUserReadsIt) {
    Munged munge;
    const std::string text = munge.encode("secret").value();
    EXPECT_TRUE(as_user([&] {
        const Credential got = Munged().decode(text);
        return got.error == EMUNGE_CRED_UNAUTHORIZED && got.payload.empty();
    }));
    EXPECT_TRUE(payload_of(munge.decode(text))) << "the user's attempt counts for nothing";
}

TEST_F(MungedTest, AUsersIsRefused) {
    const std::string file = "/run/credential";
    std::ofstream(file).flush();
    ASSERT_EQ(::chown(file.c_str(), k_user, k_user), 0);
    ASSERT_TRUE(as_user([&] {
        const auto made = Munged().encode("forged");
        if (!made) return false;
        std::ofstream out(file);
        out << *made << std::flush;
        return out.good();
    }));
    std::string text;
    std::ifstream(file) >> text;
    const auto got = payload_of(Munged().decode(text));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::not_permitted);
    EXPECT_THAT(got.error().what, HasSubstr("uid 12345"));
}

TEST_F(MungedTest, OneOfAnotherClusterIsRefused) {
    const MungedAt other("/run/other", 'o');
    const std::string text = Munged(other.socket()).encode("foreign").value();
    const auto got = payload_of(Munged().decode(text));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::munge);
    EXPECT_THAT(got.error().hint, HasSubstr("same munge.key"));
}

TEST_F(MungedTest, NonsenseIsRefused) {
    for (const char* text : {"", "MUNGE:", "MUNGE:AAAA:", "no credential"})
        EXPECT_FALSE(payload_of(Munged().decode(text))) << text;
}

class WorkerTest : public MungedTest {
protected:
    void SetUp() override {
        MungedTest::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        auto listener = listen_tcp(0);
        ASSERT_TRUE(listener) << one_line(listener.error());
        m_listener = std::move(*listener);
        m_port = port_of(m_listener.get());
    }
    struct Worker {
        Child process;
        Fd channel;
    };
    template <typename Request>
    static Worker start(const Request& request, const std::vector<int>& fds) {
        auto pair = make_socket_pair().value();
        SpawnSpec spec;
        spec.path = CKPT_HANDSHAKE;
        spec.argv = {"ckpt-handshake"};
        spec.fds = {{pair.second.get(), wire::k_worker_fd}, {2, 2}};
        Worker worker{spawn(spec).value(), std::move(pair.first)};
        EXPECT_TRUE(send_packet(worker.channel.get(), wire::encode(request), fds));
        return worker;
    }
    static wire::LinkResult result_of(Worker& worker, std::vector<Fd>* fds = nullptr) {
        auto packet = receive_packet(worker.channel.get(), k_limit);
        EXPECT_TRUE(packet) << one_line(packet ? Error{} : packet.error());
        if (!packet) return {};
        EXPECT_TRUE(worker.process.wait(k_limit)) << "it ends behind its answer";
        auto result = wire::decode<wire::LinkResult>(packet->bytes);
        EXPECT_TRUE(result) << one_line(result ? Error{} : result.error());
        if (fds != nullptr) *fds = std::move(packet->fds);
        return result ? *result : wire::LinkResult{};
    }
    [[nodiscard]] wire::ConnectRequest to(const std::string& host,
                                          std::uint32_t timeout_ms = k_timeout_ms) const {
        return {host, m_port, k_hello, timeout_ms};
    }
    [[nodiscard]] TcpCaller accept_soon() const {
        pollfd one{m_listener.get(), POLLIN, 0};
        EXPECT_EQ(::poll(&one, 1, 60'000), 1);
        return accept_tcp(m_listener.get()).value();
    }
    [[nodiscard]] Fd accepted() const { return accept_soon().socket; }
    // Those that it could use, or get back.
    static std::string capabilities_of(const Worker& worker) {
        std::ifstream status("/proc/" + std::to_string(worker.process.pid()) + "/status");
        std::string word;
        while (status >> word && word != "CapPrm:") {
        }
        status >> word;
        return word;
    }
    // As one that says nothing, until it is closed.
    [[nodiscard]] Fd connected() const {
        Fd fd = connect_from(1, 0, m_port);
        EXPECT_TRUE(fd);
        return fd;
    }
    static std::vector<std::string> next_of(Link& link) {
        pollfd one{link.fd(), POLLIN, 0};
        EXPECT_EQ(::poll(&one, 1, 60'000), 1);
        return link.receive().value();
    }
    Fd m_listener;
    std::uint16_t m_port = 0;
};

TEST_F(WorkerTest, TwoNodesGetALink) {
    Worker one = start(to("127.0.0.1"), {});
    Fd server = accepted();
    Worker other = start(wire::AcceptRequest{"n2", k_timeout_ms}, {server.get()});
    std::vector<Fd> fds;
    const auto connect = result_of(one, &fds);
    const auto accept = result_of(other);
    ASSERT_EQ(connect.outcome.code, 0U) << connect.outcome.what;
    ASSERT_EQ(accept.outcome.code, 0U) << accept.outcome.what;
    EXPECT_TRUE(accept.hello == k_hello);
    EXPECT_EQ(connect.hello.node, "n2");
    ASSERT_EQ(fds.size(), 1U);

    Link here = Link::open(std::move(fds.front()), connect.send_key, connect.receive_key).value();
    Link there = Link::open(std::move(server), accept.send_key, accept.receive_key).value();
    ASSERT_TRUE(here.send("to the server"));
    EXPECT_THAT(next_of(there), ElementsAre("to the server"));
    ASSERT_TRUE(there.send("to the client"));
    EXPECT_THAT(next_of(here), ElementsAre("to the client"));
}

// Nobody but root connects from there, and nobody on the way to the end of its handshake needs to be more.
TEST_F(WorkerTest, ItConnectsFromAPortOfRootsAndGivesThatUp) {
    Worker one = start(to("127.0.0.1"), {});
    const auto caller = accept_soon();
    EXPECT_LT(caller.port, 1024);
    EXPECT_EQ(capabilities_of(one), "0000000000000000");
    EXPECT_TRUE(listen_tcp(caller.port)) << "a server of the node's must not fail for it";
}

TEST_F(WorkerTest, WhoeverConnectsMeetsNoCapabilities) {
    const Fd client = connected();
    const Fd server = accepted();
    Worker other = start(wire::AcceptRequest{"n2", k_timeout_ms}, {server.get()});
    const auto end = std::chrono::steady_clock::now() + k_limit;
    while (capabilities_of(other) != "0000000000000000" && std::chrono::steady_clock::now() < end)
        ::usleep(1000);
    EXPECT_EQ(capabilities_of(other), "0000000000000000");
}

TEST_F(WorkerTest, NobodyListens) {
    m_listener.reset();
    Worker one = start(to("127.0.0.1"), {});
    const auto result = result_of(one);
    EXPECT_EQ(result.outcome.code, static_cast<std::uint32_t>(Code::daemon_unreachable));
    EXPECT_THAT(result.outcome.what, HasSubstr("Connection refused"));
    EXPECT_THAT(result.outcome.hint, HasSubstr("does its ckptd listen"));
}

TEST_F(WorkerTest, ANameThatNobodyKnows) {
    Worker one = start(to("no-such-node.invalid"), {});
    const auto result = result_of(one);
    EXPECT_EQ(result.outcome.code, static_cast<std::uint32_t>(Code::daemon_unreachable));
    EXPECT_THAT(result.outcome.what, HasSubstr("no-such-node.invalid"));
}

TEST_F(WorkerTest, APeerThatIsSilentIsGivenUp) {
    const Fd client = connected();
    const Fd server = accepted();
    Worker other = start(wire::AcceptRequest{"n2", 10}, {server.get()});
    const auto result = result_of(other);
    EXPECT_EQ(result.outcome.code, static_cast<std::uint32_t>(Code::deadline)) << result.outcome.what;
}

TEST_F(WorkerTest, AServerThatIsSilentIsGivenUp) {
    Worker one = start(to("127.0.0.1", 500), {}); // the backlog takes the connection
    const auto result = result_of(one);
    EXPECT_EQ(result.outcome.code, static_cast<std::uint32_t>(Code::daemon_unreachable))
        << result.outcome.what;
    EXPECT_THAT(result.outcome.hint, HasSubstr("its log may say why"));
}

TEST_F(WorkerTest, WithoutMungedThereIsNoLink) {
    m_munged->stop();
    Worker one = start(to("127.0.0.1"), {});
    const auto result = result_of(one);
    EXPECT_EQ(result.outcome.code, static_cast<std::uint32_t>(Code::munge)) << result.outcome.what;
    EXPECT_EQ(result.outcome.hint, "is munged running?");
}

TEST_F(WorkerTest, AMungedThatHangsIsGivenUp) {
    m_munged->signal(SIGSTOP);
    Worker one = start(to("127.0.0.1", 10), {});
    const auto result = result_of(one);
    m_munged->signal(SIGCONT);
    EXPECT_EQ(result.outcome.code, static_cast<std::uint32_t>(Code::munge)) << result.outcome.what;
    EXPECT_EQ(result.outcome.hint, "is munged running?");
}

TEST_F(WorkerTest, ARequestWithoutItsDescriptorIsRefused) {
    Worker other = start(wire::AcceptRequest{"n2", k_timeout_ms}, {});
    EXPECT_EQ(result_of(other).outcome.code, static_cast<std::uint32_t>(Code::wire_malformed));
}

} // namespace
} // namespace ckpt::test
