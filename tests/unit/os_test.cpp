// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/ioprio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>

#include "os/files.hpp"
#include "os/namespaces.hpp"
#include "os/process.hpp"
#include "os/procfs.hpp"
#include "os/safe_path.hpp"
#include "os/socket.hpp"
#include "os/tree.hpp"

namespace ckpt {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds k_patience{10'000};

class InDirectory : public testing::Test {
protected:
    InDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "ckpt-os-XXXXXX").string();
        m_path = ::mkdtemp(name.data());
        m_dir = Fd(::open(m_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    ~InDirectory() override { std::filesystem::remove_all(m_path); }
    InDirectory(const InDirectory&) = delete;
    InDirectory& operator=(const InDirectory&) = delete;

    std::string m_path;
    Fd m_dir;
};

using SafePath = InDirectory;

TEST_F(SafePath, SymbolicLinksAreNotFollowed) {
    std::filesystem::create_symlink("/etc", m_path + "/etc");
    std::filesystem::create_symlink("/etc/passwd", m_path + "/file");
    EXPECT_FALSE(open_beneath(m_dir.get(), "etc/passwd", O_RDONLY));
    EXPECT_FALSE(open_beneath(m_dir.get(), "file", O_RDONLY));
}

TEST_F(SafePath, NothingOutsideIsReached) {
    EXPECT_FALSE(open_beneath(m_dir.get(), "../..", O_RDONLY));
    EXPECT_FALSE(open_beneath(m_dir.get(), "/etc/passwd", O_RDONLY));
}

TEST_F(SafePath, MissingIsToldFromForbidden) {
    EXPECT_EQ(open_beneath(m_dir.get(), "none", O_RDONLY).error().code, Code::not_found);
}

TEST_F(SafePath, WorldWritableAncestorIsRefused) {
    const auto opened = open_trusted_dir(m_path); // below a sticky, world-writable directory
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::not_permitted);
}

TEST_F(SafePath, RemoveTreeDoesNotFollowLinks) {
    std::filesystem::create_directories(m_path + "/victim/keep");
    std::filesystem::create_directories(m_path + "/tree/sub");
    std::filesystem::create_directory_symlink(m_path + "/victim", m_path + "/tree/sub/link");
    EXPECT_TRUE(remove_tree(m_dir.get(), "tree"));
    EXPECT_FALSE(std::filesystem::exists(m_path + "/tree"));
    EXPECT_TRUE(std::filesystem::exists(m_path + "/victim/keep"));
}

// Makes `depth` directories, each in the one before, with a file beside every hundredth.
void nest(const Fd& dir, int depth) {
    Fd at(::openat(dir.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int i = 0; i < depth; ++i) {
        ASSERT_EQ(::mkdirat(at.get(), "d", 0700), 0);
        if (i % 100 == 0) {
            ASSERT_TRUE(Fd(::openat(at.get(), "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
        }
        at = Fd(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        ASSERT_TRUE(at);
    }
}

class FewDescriptors {
public:
    FewDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &m_before);
        const rlimit few{64, m_before.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &few);
    }
    FewDescriptors(const FewDescriptors&) = delete;
    FewDescriptors& operator=(const FewDescriptors&) = delete;
    ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &m_before); }

private:
    rlimit m_before{};
};

TEST_F(SafePath, RemoveTreeGoesAsDeepAsUsersDo) {
    std::filesystem::create_directories(m_path + "/tree/.moved-0/full"); // names that it would take itself
    std::filesystem::create_directory(m_path + "/tree/.moved-1");
    Fd(::openat(m_dir.get(), "tree/.moved-2", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)).reset();
    nest(Fd(::openat(m_dir.get(), "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), 20'000);
    std::filesystem::create_directory(m_path + "/other");
    const FewDescriptors few;
    const auto removed = remove_tree(m_dir.get(), "tree");
    EXPECT_TRUE(removed) << one_line(removed.error());
    EXPECT_FALSE(std::filesystem::exists(m_path + "/tree"));
    EXPECT_TRUE(std::filesystem::exists(m_path + "/other"));
}

TEST(PlainName, Cases) {
    for (const char* bad : {"", ".", "..", "a/b", "/"})
        EXPECT_FALSE(is_plain_name(bad)) << bad;
    EXPECT_FALSE(is_plain_name(std::string(256, 'a')));
    EXPECT_TRUE(is_plain_name("gen-000001"));
}

TEST(Spawn, ExecFailureIsReportedNotExited) {
    SpawnSpec spec;
    spec.path = "/nonexistent/program";
    spec.argv = {"program"};
    const auto child = spawn(spec);
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().errnum, ENOENT);
}

TEST(Spawn, OnlyTheListedDescriptorsAndEnvironmentArrive) {
    auto pipe = make_pipe();
    ASSERT_TRUE(pipe);
    SpawnSpec spec;
    spec.path = "/bin/sh";
    spec.argv = {"sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; env -u PWD -u SHLVL -u OLDPWD -u _"};
    spec.environment = {"ONLY=this"};
    spec.fds = {{pipe->write.get(), 1}};
    auto child = spawn(spec);
    ASSERT_TRUE(child);
    pipe->write.reset();
    const auto text = read_all(pipe->read.get(), 4096);
    ASSERT_TRUE(text);
    EXPECT_EQ(*text, "0 1 2 3 ONLY=this\n"); // 3 is ls's own
    EXPECT_EQ(child->wait(k_patience).value(), 0);
}

TEST(Spawn, DescriptorsMayTradePlaces) {
    auto first = make_pipe();
    auto second = make_pipe();
    ASSERT_TRUE(first && second);
    SpawnSpec spec;
    spec.path = "/bin/sh";
    spec.argv = {"sh", "-c", "echo one >&7; echo two >&8"};
    spec.fds = {{first->write.get(), 7}, {second->write.get(), 8}};
    auto child = spawn(spec);
    ASSERT_TRUE(child);
    first->write.reset();
    second->write.reset();
    EXPECT_EQ(*read_all(first->read.get(), 64), "one\n");
    EXPECT_EQ(*read_all(second->read.get(), 64), "two\n");
}

TEST(Spawn, LowPriorityIsGiven) {
    SpawnSpec spec;
    spec.path = "/bin/sleep";
    spec.argv = {"sleep", "100"};
    spec.new_session = true;
    spec.low_priority = true;
    const auto child = spawn(spec);
    ASSERT_TRUE(child);
    const auto pid = static_cast<id_t>(child->pid());
    const int ours = ::getpriority(PRIO_PROCESS, 0);
    EXPECT_EQ(::getpriority(PRIO_PROCESS, pid), std::max(ours, 10));
    EXPECT_EQ(::syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, pid) >> IOPRIO_CLASS_SHIFT, IOPRIO_CLASS_IDLE);
}

TEST(Child, WaitIsBounded) {
    SpawnSpec spec;
    spec.path = "/bin/sleep";
    spec.argv = {"sleep", "1000"};
    auto child = spawn(spec);
    ASSERT_TRUE(child);
    EXPECT_EQ(child->wait(milliseconds(20)).error().code, Code::deadline);
    child->kill(SIGTERM);
    const auto status = child->wait(k_patience);
    ASSERT_TRUE(status);
    EXPECT_TRUE(WIFSIGNALED(*status));
}

TEST(Child, LeavingScopeEndsIt) {
    Fd pidfd;
    {
        SpawnSpec spec;
        spec.path = "/bin/sleep";
        spec.argv = {"sleep", "1000"};
        auto child = spawn(spec);
        ASSERT_TRUE(child);
        pidfd = std::move(*open_pidfd(child->pid()));
    }
    EXPECT_FALSE(pidfd_alive(pidfd.get()));
}

TEST(Socket, MessagesAndDescriptorsArriveWhole) {
    auto pair = make_socket_pair();
    ASSERT_TRUE(pair);
    auto pipe = make_pipe();
    ASSERT_TRUE(pipe);
    const int fd = pipe->write.get();
    ASSERT_TRUE(send_packet(pair->first.get(), "hello", {&fd, 1}));
    auto got = receive_packet(pair->second.get(), k_patience);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->bytes, "hello");
    ASSERT_EQ(got->fds.size(), 1U);
    pipe->write.reset();
    ASSERT_TRUE(write_all(got->fds[0].get(), "through"));
    got->fds.clear();
    EXPECT_EQ(*read_all(pipe->read.get(), 64), "through");
}

TEST(Socket, SilenceAndHangupAreTold) {
    auto pair = make_socket_pair();
    ASSERT_TRUE(pair);
    EXPECT_EQ(receive_packet(pair->second.get(), milliseconds(10)).error().code, Code::deadline);
    pair->first.reset();
    EXPECT_EQ(receive_packet(pair->second.get(), k_patience).error().code, Code::not_found);
}

TEST(Socket, PeerIsWhoTheKernelSays) {
    auto pair = make_socket_pair();
    ASSERT_TRUE(pair);
    const auto peer = peer_of(pair->first.get());
    ASSERT_TRUE(peer);
    EXPECT_EQ(peer->pid, ::getpid());
    EXPECT_EQ(peer->uid, ::getuid());
}

TEST(Procfs, OwnProcess) {
    const auto self = process_info(::getpid());
    ASSERT_TRUE(self);
    EXPECT_EQ(self->ppid, ::getppid());
    EXPECT_EQ(self->uid, ::getuid());
}

TEST(Procfs, AProcessIsToldFromALaterOneWithItsPid) {
    auto self = know_process(::getpid());
    ASSERT_TRUE(self);
    EXPECT_TRUE(open_pidfd(*self));
    self->start_time += 1;
    EXPECT_EQ(open_pidfd(*self).error().code, Code::not_found);
}

TEST(Namespaces, AreToldApart) {
    for (const char* name : {"mnt", "pid"}) {
        const auto fd = open_namespace(::getpid(), name);
        ASSERT_TRUE(fd);
        auto id = namespace_id(fd->get());
        ASSERT_TRUE(id);
        EXPECT_TRUE(open_namespace(::getpid(), name, *id));
        id->inode += 1;
        EXPECT_EQ(open_namespace(::getpid(), name, *id).error().code, Code::not_found);
    }
}

TEST(Tree, ParentsComeBeforeChildren) {
    SpawnSpec spec;
    spec.path = "/bin/sleep";
    spec.argv = {"sleep", "1000"};
    const auto child = spawn(spec);
    ASSERT_TRUE(child);
    EXPECT_EQ(*tree_pids(::getpid()), (std::vector{::getpid(), child->pid()}));
    EXPECT_EQ(*child_pids(::getpid()), std::vector{child->pid()});
}

bool all_stopped(pid_t root) {
    const auto tree = tree_pids(root);
    return tree && std::ranges::all_of(*tree, [](pid_t pid) {
               const auto info = process_info(pid);
               return info && (info->state == 'T' || info->state == 'Z');
           });
}

// Shells in process groups of their own below a session leader, as a job's script is below ckpt-init.
TEST(Tree, AStoppedTreeIsKilledWithoutRunningOn) {
    auto pipe = make_pipe();
    ASSERT_TRUE(pipe);
    SpawnSpec spec;
    spec.path = "/bin/bash";
    spec.new_session = true;
    spec.fds = {{pipe->write.get(), 1}};
    spec.environment = {"PATH=/usr/bin:/bin"};
    spec.argv = {"bash", "-c", R"(set -m; for i in {1..20}; do
        bash -c 'trap "echo ran on" EXIT; echo ready; sleep 1000 & wait' &
    done; wait)"};
    const auto root = spawn(spec);
    ASSERT_TRUE(root);
    pipe->write.reset();
    std::string ready(20 * 6, '\0');
    for (std::size_t got = 0; got < ready.size();) {
        const ssize_t n = ::read(pipe->read.get(), ready.data() + got, ready.size() - got);
        ASSERT_GT(n, 0);
        got += static_cast<std::size_t>(n);
    }
    root->kill(SIGSTOP); // first: it would see its jobs stop, and end
    while (process_info(root->pid())->state != 'T')
        std::this_thread::sleep_for(milliseconds(1));
    while (!all_stopped(root->pid())) { // some may still be forking
        signal_tree(root->pid(), ::getuid(), SIGSTOP);
        std::this_thread::sleep_for(milliseconds(1));
    }
    signal_tree(root->pid(), ::getuid(), SIGKILL);
    EXPECT_EQ(*read_all(pipe->read.get(), 4096), "");
}

} // namespace
} // namespace ckpt
