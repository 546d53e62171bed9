// SPDX-License-Identifier: GPL-2.0-or-later
// Dumps that must not happen or that fail: the job runs on in every case.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "os/procfs.hpp"
#include "os/tree.hpp"
#include "testbed.hpp"

namespace ckpt::testing {

namespace {

using wire::InitStatus;

class Refusal : public CriuTest {
protected:
    // Starts `setup` followed by endless counting, and waits for the count.
    std::unique_ptr<Task> counting_after(const std::string& setup) {
        auto task = make_task();
        task->start(setup + "\nfor ((i = 1; ; i++)); do echo $i; sleep 0.02; done");
        EXPECT_EQ(task->report().status, InitStatus::started);
        EXPECT_TRUE(eventually([&] { return task->output().find("5\n") != std::string::npos; }));
        return task;
    }

    // Waits, in the script, until its latest background process is the program `name`.
    static std::string until_it_is(const std::string& name) {
        return "\nuntil [ \"$(cat /proc/$!/comm)\" = " + name + " ]; do sleep 0.01; done";
    }

    // Holds 500 MiB, and the script waits until it does.
    static std::string large_process() {
        return R"(python3 -c 'x = bytearray(500 << 20); open("large", "w"); import time; time.sleep(1000)' &
until [ -e large ]; do sleep 0.01; done)";
    }

    static void expect_running(Task& task) {
        const std::size_t size = task.output().size();
        if (!eventually([&] { return task.output().size() > size; })) {
            auto report = task.report(std::chrono::milliseconds(1));
            if (report.status == InitStatus::started) report = task.report(std::chrono::milliseconds(1));
            FAIL() << "the job stands still; report " << static_cast<int>(report.status) << ", "
                   << report.value;
        }
        const auto pids = tree_pids(task.root());
        ASSERT_TRUE(pids);
        for (const pid_t pid : *pids)
            if (const auto info = process_info(pid)) {
                EXPECT_NE(info->state, 'T') << info->name;
                EXPECT_NE(info->state, 't') << info->name;
            }
    }

    void expect_refusal(Task& task, Code code, const std::string& words) {
        const Fd images = images_dir("gen-" + std::to_string(m_generation++));
        const auto dumped = call_dump(task, images.get());
        ASSERT_FALSE(dumped);
        EXPECT_EQ(dumped.error().code, code) << one_line(dumped.error());
        EXPECT_NE(one_line(dumped.error()).find(words), std::string::npos) << one_line(dumped.error());
        expect_running(task);
    }

    int m_generation = 1;
};

TEST_F(Refusal, AStrangerInTheCgroup) {
    const auto task = counting_after("");
    Child stranger(::fork(), Fd());
    if (stranger.pid() == 0) {
        std::ofstream(task->cgroup() + "/cgroup.procs") << "0";
        ::execl("/bin/sleep", "sleep", "1000", nullptr);
    }
    ASSERT_TRUE(eventually([&] { return task->cgroup_pids().size() == 4; }));
    expect_refusal(*task, Code::dump_refused, "not below the job's first process");
    ::kill(stranger.pid(), SIGKILL);
    ::waitpid(stranger.release(), nullptr, 0);
    const Fd images = images_dir("good");
    ASSERT_OK(call_dump(*task, images.get()));
}

TEST_F(Refusal, ALiveSrun) {
    const auto task = counting_after("cp /bin/sleep srun; ./srun 1000 &" + until_it_is("srun"));
    expect_refusal(*task, Code::dump_live_srun, "srun");
}

TEST_F(Refusal, AUserNamespace) {
    const auto task = counting_after("unshare -U sleep 1000 &" + until_it_is("sleep"));
    expect_refusal(*task, Code::dump_refused, "namespace of its own");
}

TEST_F(Refusal, AProgramThatCannotBeRead) {
    const std::string program = m_root + "/unreadable";
    std::filesystem::copy_file("/bin/sleep", program);
    ASSERT_EQ(::chmod(program.c_str(), 0711), 0);
    const auto task = counting_after(program + " 1000 &" + until_it_is("unreadable"));
    expect_refusal(*task, Code::dump_refused, "may be run but not read");
}

// As many as CRIU keeps, of a page each: more of the usual size would be more than a user may have. Ends that
// only write, named pipes and second descriptors do not count.
TEST_F(Refusal, MorePipesThanCriuSaves) {
    put_file(m_place + "/pipes.py", R"py(
import fcntl, os, resource, time
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
held = []
def pipe():
    r, w = os.pipe()
    fcntl.fcntl(r, fcntl.F_SETPIPE_SZ, 4096)
    held.append((r, w))
for _ in range(1024): pipe()
os.mkfifo("named")
held.append((os.open("named", os.O_RDWR), os.dup(held[0][0])))
for i in range(100):
    os.write(held[i][1], b"piped")
i = 0
while True:
    if os.path.exists("more") and len(held) == 1025:
        pipe()
        print("more", flush=True)
    print(i := i + 1, flush=True)
    time.sleep(0.02)
)py");
    const auto task = make_task();
    task->start_command({"/usr/bin/python3", m_place + "/pipes.py"});
    ASSERT_EQ(task->report().status, InitStatus::started);
    ASSERT_TRUE(eventually([&] { return task->output().find("5\n") != std::string::npos; }));
    const Fd images = images_dir("good");
    ASSERT_OK(call_dump(*task, images.get()));
    put_file(m_place + "/more", "");
    ASSERT_TRUE(eventually([&] { return task->output().find("more\n") != std::string::npos; }));
    expect_refusal(*task, Code::dump_refused, "1025 pipes");
}

TEST_F(Refusal, AnOutsideConnection) {
    const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    const std::string port = std::to_string(ntohs(address.sin_port));
    auto task = make_task();
    task->start("exec 9<>/dev/tcp/127.0.0.1/" + port +
                "; for ((i = 1; ; i++)); do echo $i; sleep 0.02; done");
    const Fd connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(eventually([&] { return !task->output().empty(); }));
    expect_refusal(*task, Code::dump_refused, "127.0.0.1:" + port);
}

TEST_F(Refusal, ALargeDeletedFile) {
    const auto task = counting_after("head -c 20000000 /dev/urandom > big; exec 9<> big; rm big");
    const Fd images = images_dir("gen-1");
    DumpCall small;
    small.ghost_limit = 1 << 20;
    const auto dumped = call_dump(*task, images.get(), small);
    ASSERT_FALSE(dumped);
    EXPECT_EQ(dumped.error().code, Code::dump_failed);
    EXPECT_NE(dumped.error().what.find("large deleted file"), std::string::npos) << dumped.error().what;
    expect_running(*task);
}

TEST_F(Refusal, ADeadlineLeavesTheJobRunning) {
    const auto task = counting_after(large_process());
    for (const bool leave_stopped : {false, true}) {
        const Fd images = images_dir(leave_stopped ? "gen-1" : "gen-2");
        DumpCall hasty;
        hasty.timeout_ms = 150;
        hasty.leave_stopped = leave_stopped;
        const auto dumped = call_dump(*task, images.get(), hasty);
        ASSERT_FALSE(dumped);
        EXPECT_EQ(dumped.error().code, Code::dump_timeout) << one_line(dumped.error());
        expect_running(*task);
    }
    const Fd images = images_dir("good");
    ASSERT_OK(call_dump(*task, images.get()));
}

// CRIU reads a connection in a mode in which it sends nothing, and a killed CRIU leaves it so
// (engine/release.cpp).
TEST_F(Refusal, ADeadlineLeavesConnectionsWorking) {
    put_file(m_place + "/program.py", R"py(
import socket, time
big = bytearray(500 << 20)
listener = socket.create_server(("127.0.0.1", 0)); a = socket.create_connection(listener.getsockname()); b, _ = listener.accept()
i = 0
while True:
    a.sendall(b"x" * 1000); n = 0
    while n < 1000: n += len(b.recv(1000))
    i += 1; print(i, flush=True); time.sleep(0.01)
)py");
    const auto task = make_task();
    task->start_command({"/usr/bin/python3", m_place + "/program.py"});
    ASSERT_TRUE(eventually([&] { return task->output().size() > 20; }));
    for (const int limit : {100, 150, 200, 250}) {
        const Fd images = images_dir("gen-" + std::to_string(limit));
        DumpCall hasty;
        hasty.timeout_ms = static_cast<std::uint32_t>(limit);
        (void)call_dump(*task, images.get(), hasty);
        expect_running(*task);
    }
}

TEST_F(Refusal, AKilledEngineLeavesTheJobRunning) {
    const auto task = counting_after(large_process());
    const Fd images = images_dir("gen-1");
    DumpCall killed;
    killed.kill_engine_after = std::chrono::milliseconds(200);
    EXPECT_FALSE(call_dump(*task, images.get(), killed));
    expect_running(*task);
    EXPECT_TRUE(eventually([] { return !process_named("criu"); }));
    const Fd good = images_dir("good");
    ASSERT_OK(call_dump(*task, good.get()));
}

// A process the user had stopped stays stopped, whatever becomes of the dump.
TEST_F(Refusal, AStoppedProcessStaysStopped) {
    const auto task =
        counting_after("sleep 1000 &" + until_it_is("sleep") + "; kill -STOP $!; echo $! > stopped");
    const Fd images = images_dir("gen-1");
    DumpCall hasty;
    hasty.timeout_ms = 1;
    EXPECT_FALSE(call_dump(*task, images.get(), hasty));
    const pid_t stopped = std::stoi(file_text(m_place + "/stopped"));
    EXPECT_EQ(process_info(stopped)->state, 'T');
}

} // namespace

} // namespace ckpt::testing
