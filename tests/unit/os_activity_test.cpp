// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a process is at rest, of real processes.
#include "os/activity.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

#include "os/files.hpp"

namespace ckpt {
namespace {

constexpr std::chrono::seconds k_patience{20};

bool eventually(const std::function<bool()>& ready) {
    const auto end = std::chrono::steady_clock::now() + k_patience;
    while (!ready()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

Activity must_look(pid_t pid) {
    TcpQueues queues;
    const auto activity = activity_of(pid, queues);
    EXPECT_TRUE(activity) << one_line(activity ? Error{} : activity.error());
    return activity.value_or(Activity{});
}

// As its user asks: at rest twice, with nothing in between.
bool is_at_rest(pid_t pid) {
    const Activity first = must_look(pid);
    return first.at_rest && must_look(pid) == first;
}

// A process that does one thing for each byte it is sent, says so, and sleeps in poll(2) in between.
class Worker {
public:
    explicit Worker(const std::function<void(char)>& work) {
        auto orders = make_pipe();
        auto answers = make_pipe();
        m_pid = ::fork();
        if (m_pid == 0) {
            orders->write.reset();
            answers->read.reset();
            serve(orders->read.get(), answers->write.get(), work);
        }
        m_orders = std::move(orders->write);
        m_answers = std::move(answers->read);
    }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    Worker(Worker&&) = delete;
    Worker& operator=(Worker&&) = delete;
    ~Worker() {
        ::kill(m_pid, SIGKILL);
        ::waitpid(m_pid, nullptr, 0);
    }
    // Without its answer; some work has no end.
    void send(char order) const { EXPECT_EQ(::write(m_orders.get(), &order, 1), 1); }
    void wait() const {
        char answer = 0;
        pollfd readable{m_answers.get(), POLLIN, 0};
        ASSERT_EQ(::poll(&readable, 1, static_cast<int>(std::chrono::milliseconds(k_patience).count())), 1);
        ASSERT_EQ(::read(m_answers.get(), &answer, 1), 1);
    }
    void order(char order) const {
        send(order);
        wait();
    }
    [[nodiscard]] pid_t pid() const { return m_pid; }

private:
    [[noreturn]] static void serve(int orders, int answers, const std::function<void(char)>& work) {
        for (char order = 0;;) {
            pollfd readable{orders, POLLIN, 0};
            if (::poll(&readable, 1, -1) != 1 || ::read(orders, &order, 1) != 1) ::_exit(1);
            work(order);
            if (::write(answers, "x", 1) != 1) ::_exit(1);
        }
    }
    pid_t m_pid = -1;
    Fd m_orders;
    Fd m_answers;
};

struct Connection {
    Fd near;
    Fd far;
};

Fd bound_to_loopback(int family) {
    Fd listener(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = in6addr_loopback;
    const bool is_v6 = family == AF_INET6;
    const auto* address = is_v6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
    if (::bind(listener.get(), address, is_v6 ? sizeof v6 : sizeof v4) != 0 ||
        ::listen(listener.get(), 1) != 0)
        return {};
    return listener;
}

Connection connect_through(const Fd& listener) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    Connection both;
    both.near = Fd(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(both.near.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    both.far = Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(both.far);
    return both;
}

class Tcp : public testing::TestWithParam<int> {
protected:
    void SetUp() override {
        const Fd listener = bound_to_loopback(GetParam());
        if (!listener) GTEST_SKIP() << "needs this family's loopback";
        m_connection = connect_through(listener);
    }
    // The far end is its own from here on.
    void hand_over(const std::function<void(int, char)>& work) {
        m_worker = std::make_unique<Worker>([this, &work](char order) {
            m_connection.near.reset();
            work(m_connection.far.get(), order);
        });
        m_connection.far.reset();
        m_worker->order('n'); // it has closed the near end
        ASSERT_TRUE(eventually([&] { return is_at_rest(m_worker->pid()); }));
    }
    Connection m_connection;
    std::unique_ptr<Worker> m_worker;
};

void read_on_order(int socket, char order) {
    std::array<char, 64> bytes{};
    if (order == 'r' && ::read(socket, bytes.data(), bytes.size()) < 0) ::_exit(1);
}

TEST(Activity, AsleepInPollItsCountStays) {
    const Worker worker([](char) {});
    ASSERT_TRUE(eventually([&] { return is_at_rest(worker.pid()); }));
    const Activity before = must_look(worker.pid());
    const Worker other([](char) {});
    other.order('x'); // time in which a process does run
    EXPECT_EQ(must_look(worker.pid()), before);
    worker.order('x');
    ASSERT_TRUE(eventually([&] { return is_at_rest(worker.pid()); }));
    EXPECT_GT(must_look(worker.pid()).switches, before.switches) << "it has run in between";
}

TEST(Activity, ASpinningOneIsNot) {
    const Worker worker([](char order) {
        for (const volatile bool spins = order == 's'; spins;) {
        }
    });
    worker.order('x');
    ASSERT_TRUE(eventually([&] { return is_at_rest(worker.pid()); }));
    worker.send('s');
    ASSERT_TRUE(eventually([&] { return !must_look(worker.pid()).at_rest; }));
    for (int i = 0; i < 20; ++i)
        EXPECT_FALSE(must_look(worker.pid()).at_rest);
}

TEST(Activity, OneThreadThatSpinsIsEnough) {
    const Worker worker([](char) {
        std::thread([] {
            for (const volatile bool spins = true; spins;) {
            }
        }).detach();
    });
    worker.order('t');
    ASSERT_TRUE(eventually([&] { return !must_look(worker.pid()).at_rest; }));
    for (int i = 0; i < 20; ++i)
        EXPECT_FALSE(must_look(worker.pid()).at_rest);
}

// It will run when it is continued.
TEST(Activity, AStoppedOneIsNot) {
    const Worker worker([](char) {});
    ASSERT_TRUE(eventually([&] { return is_at_rest(worker.pid()); }));
    ::kill(worker.pid(), SIGSTOP);
    ASSERT_EQ(::waitpid(worker.pid(), nullptr, WUNTRACED), worker.pid());
    EXPECT_FALSE(must_look(worker.pid()).at_rest);
    ::kill(worker.pid(), SIGCONT);
    EXPECT_TRUE(eventually([&] { return is_at_rest(worker.pid()); }));
}

TEST(Activity, OneThatHasEndedIs) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(0);
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
    EXPECT_TRUE(must_look(pid).at_rest) << "its parent has not asked yet";
    ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
    EXPECT_TRUE(must_look(pid).at_rest);
}

TEST_P(Tcp, UnreadBytesAreWork) {
    hand_over(read_on_order);
    ASSERT_EQ(::send(m_connection.near.get(), "bytes", 5, 0), 5);
    ASSERT_TRUE(eventually([&] { return !must_look(m_worker->pid()).at_rest; }));
    EXPECT_FALSE(must_look(m_worker->pid()).at_rest) << "for as long as they are not read";
    m_worker->order('r');
    EXPECT_TRUE(eventually([&] { return is_at_rest(m_worker->pid()); }));
}

TEST_P(Tcp, AnEndThatWasNotSeenYetIsWork) {
    hand_over(read_on_order);
    m_connection.near.reset();
    ASSERT_TRUE(eventually([&] { return !must_look(m_worker->pid()).at_rest; }));
    m_worker->order('r');
    EXPECT_TRUE(eventually([&] { return is_at_rest(m_worker->pid()); }));
}

// Asleep, and what it has written is still in the kernel.
TEST_P(Tcp, UnsentBytesAreWork) {
    hand_over([](int socket, char order) {
        if (order != 'w') return;
        const std::array<char, 65536> bytes{};
        while (::send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) {
        }
    });
    m_worker->order('w');
    EXPECT_FALSE(is_at_rest(m_worker->pid()));
    ::fcntl(m_connection.near.get(), F_SETFL, O_NONBLOCK);
    EXPECT_TRUE(eventually([&] {
        std::array<char, 65536> bytes{};
        while (::read(m_connection.near.get(), bytes.data(), bytes.size()) > 0) {
        }
        return is_at_rest(m_worker->pid());
    }));
}

// Other processes' connections are no work of this one.
TEST_P(Tcp, TheBytesOfOthersAreNot) {
    const Worker worker([this](char) {
        m_connection.near.reset();
        m_connection.far.reset();
    });
    worker.order('c');
    ASSERT_EQ(::send(m_connection.near.get(), "bytes", 5, 0), 5);
    EXPECT_TRUE(eventually([&] { return is_at_rest(worker.pid()); }));
}

INSTANTIATE_TEST_SUITE_P(Over, Tcp, testing::Values(AF_INET, AF_INET6));

} // namespace
} // namespace ckpt
