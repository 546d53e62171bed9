// SPDX-License-Identifier: GPL-2.0-or-later
// criu is killed at each of its ptrace(2) and wait4(2) calls in turn, before the call and after it: the job
// runs on as if nothing had been.
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <csignal>
#include <thread>

#include "engine/criu_process.hpp"
#include "engine/criu_rights.hpp"
#include "engine/release.hpp"
#include "engine/tracer.hpp"
#include "os/procfs.hpp"
#include "os/socket.hpp"
#include "testbed.hpp"
#include "tracer/protocol.hpp"

namespace ckpt::testing {

namespace {

using wire::InitStatus;

// Three threads; each line says that masks, registers and files are as they were.
constexpr const char* k_program = R"py(
import os, signal, sys, threading, time
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
signal.signal(signal.SIGUSR1, lambda *_: done.set())
done = threading.Event()
counts = [0, 0]
def count(which):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH + which})
    while not done.is_set():
        assert sum(x * 0.5 for x in range(100)) == 2475.0
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {signal.SIGUSR2, signal.SIGWINCH + which}
        counts[which] += 1
        time.sleep(0.001)
threads = [threading.Thread(target=count, args=(which,)) for which in (0, 1)]
for thread in threads: thread.start()
i = 0
while not done.is_set():
    before = list(counts)
    while not done.is_set() and (counts[0] == before[0] or counts[1] == before[1]): time.sleep(0.001)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {signal.SIGUSR2}
    i += 1
    print(i, flush=True)
for thread in threads: thread.join()
print("done", flush=True)
)py";

// Between criu and ckpt-tracer.
class Middle {
public:
    Middle(int criu, int tracer, int fatal_call, bool after, std::function<void()> kill)
        : m_criu(criu), m_tracer(tracer), m_fatal_call(fatal_call), m_after(after), m_kill(std::move(kill)),
          m_thread([this] { relay(); }) {}
    Middle(const Middle&) = delete;
    Middle& operator=(const Middle&) = delete;
    ~Middle() { m_thread.join(); }

private:
    static bool pass(int from, int to) {
        const auto packet = receive_packet(from, std::chrono::seconds(30));
        if (!packet) return false;
        const std::vector<int> fds(packet->fds.size(), packet->fds.empty() ? -1 : packet->fds.front().get());
        return send_packet(to, packet->bytes, fds).has_value();
    }

    // Until criu has closed its end, which it does by dying.
    void relay() {
        for (int call = 1;; ++call) {
            pollfd criu{m_criu, POLLIN, 0};
            (void)::poll(&criu, 1, -1);
            char byte = 0;
            if (::recv(m_criu, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) == 0) return; // it made no more
            if (call == m_fatal_call && !m_after) return m_kill();
            if (!pass(m_criu, m_tracer)) return;
            pollfd tracer{m_tracer, POLLIN, 0};
            if (call == m_fatal_call) {
                (void)::poll(&tracer, 1, 1000); // carried out; criu never hears of it
                return m_kill();
            }
            if (!pass(m_tracer, m_criu)) return;
        }
    }

    int m_criu;
    int m_tracer;
    int m_fatal_call;
    bool m_after;
    std::function<void()> m_kill;
    std::thread m_thread;
};

class Killed : public CriuTest {
protected:
    // True when criu made so many calls, and so was killed.
    bool dump_with_fatal_call(const Task& task, int images, int call, bool after) {
        const auto identity = job_user(user());
        const CapabilitySet rights = rights_for_dump({}, false);
        auto tracer = Tracer::start(identity, rights, task.pid_ns());
        auto middle = make_socket_pair();
        auto rpc = make_socket_pair();
        auto spec = criu_spawn_spec("/usr/sbin/criu", user(), rights, rpc->second.get(), images);
        EXPECT_TRUE(tracer && spec);
        EXPECT_TRUE(give_images_to(*Root::claim(), images, k_uid, k_gid));
        spec->fds.emplace_back(middle->second.get(), k_criu_tracer);
        spec->environment.push_back(std::string(tracing::k_variable) + "=" + std::to_string(k_criu_tracer));
        auto ipc_ns = open_namespace(task.root(), "ipc"); // else criu would have to dump it
        EXPECT_TRUE(ipc_ns);
        spec->enter_namespaces = {ipc_ns->get()};
        auto criu = spawn(*spec);
        EXPECT_TRUE(criu);
        rpc->second.reset();
        middle->second.reset();
        bool killed = false;
        {
            const Middle between(middle->first.get(), tracer->criu_socket().get(), call, after, [&] {
                killed = true;
                kill_criu(criu->pid());
            });
            CriuClient client(rpc->first.get(), std::chrono::steady_clock::now() + std::chrono::seconds(20));
            CriuDumpOptions options;
            options.common = criu_common_options("dump.log");
            options.pid = task.root_inside();
            const Status dumped = client.dump(options, [](std::string_view, pid_t) { return Status{}; });
            EXPECT_EQ(dumped.has_value(), !killed) << call << (dumped ? "" : one_line(dumped.error()));
            rpc->first.reset(); // a criu that is not killed ends now
        }
        (void)criu->wait(std::chrono::seconds(5));
        tracer->finish([] {});
        release_tree(task.root(), {});
        return killed;
    }
};

class KilledAtEveryCall : public Killed, public ::testing::WithParamInterface<int> {};

TEST_P(KilledAtEveryCall, LeavesTheJobRunning) {
    put_file(m_place + "/program.py", k_program);
    const auto task = make_task();
    task->start_command({"/usr/bin/python3", m_place + "/program.py"});
    ASSERT_EQ(task->report().status, InitStatus::started);
    int call = 1;
    for (bool killed = true; killed; ++call) {
        const std::size_t size = task->output().size();
        ASSERT_TRUE(eventually([&] { return task->output().size() > size; })) << "call " << call - 1;
        killed = dump_with_fatal_call(*task, images_dir("gen-" + std::to_string(call)).get(), call,
                                      call % 2 == GetParam());
    }
    EXPECT_GT(call, 100); // else it was not what this test is about
    const Fd images = images_dir("good");
    ASSERT_OK(call_dump(*task, images.get()));
    const std::size_t cut = task->output().size();
    task->kill_tree();
    task->renew("restored.out");
    ASSERT_OK(call_restore(*task, images.get(), m_tails.get()));
    ASSERT_TRUE(eventually([&] { return !task->output().empty(); }));
    EXPECT_GT(cut, 0U);
    task->signal(SIGUSR1, wire::SignalScope::process);
    const auto report = task->report();
    EXPECT_EQ(report.status, InitStatus::ended);
    EXPECT_EQ(report.value, 0);
}

// What a criu that was killed leaves lies before all that is executable there: the kernel puts a program that
// has no interpreter, such as the dynamic linker itself or one that is static-pie, where mmap(2) begins.
TEST_F(Killed, LeftoversBeforeTheProgramAreNotUsed) {
    const auto task = make_task();
    task->start_command({"/lib64/ld-linux-x86-64.so.2", "/bin/bash", "-c",
                         "mkfifo never; exec 3<>never; trap 'exit 7' USR1; "
                         "for ((i = 1; ; i++)); do echo $i; read -t 0.01 -u 3; done"});
    ASSERT_EQ(task->report().status, InitStatus::started);
    int call = 1;
    for (bool killed = true; killed && !HasFailure(); ++call) {
        const std::size_t size = task->output().size();
        ASSERT_TRUE(eventually([&] { return task->output().size() > size; })) << "call " << call - 1;
        killed = dump_with_fatal_call(*task, images_dir("gen-" + std::to_string(call)).get(), call, true);
    }
    EXPECT_GT(call, 100); // else it was not what this test is about
    const Fd images = images_dir("good");
    ASSERT_OK(call_dump(*task, images.get()));
    task->kill_tree();
    task->renew("restored.out");
    ASSERT_OK(call_restore(*task, images.get(), m_tails.get()));
    ASSERT_TRUE(eventually([&] { return !task->output().empty(); }));
    const Fd again = images_dir("again"); // they are restored, too
    ASSERT_OK(call_dump(*task, again.get()));
    task->signal(SIGUSR1, wire::SignalScope::process);
    const auto report = task->report();
    EXPECT_EQ(report.status, InitStatus::ended);
    EXPECT_EQ(WEXITSTATUS(report.value), 7);
}

// With 0, every other call is carried out before criu dies; with 1, the others are.
INSTANTIATE_TEST_SUITE_P(Killed, KilledAtEveryCall, ::testing::Values(0, 1));

} // namespace

} // namespace ckpt::testing
