// SPDX-License-Identifier: GPL-2.0-or-later
#include "task.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "os/creds.hpp"
#include "os/files.hpp"
#include "os/procfs.hpp"
#include "os/tree.hpp"

namespace ckpt::testing {

namespace {

constexpr const char* k_init = CKPT_LIBEXEC_DIR "/ckpt-init";

[[noreturn]] void become_init(const Task& task, const std::vector<std::string>& command) {
    std::ofstream(task.cgroup() + "/cgroup.procs") << "0";
    const auto stdio = task.stdio();
    for (int fd = 0; fd <= 2; ++fd)
        ::dup2(stdio.at(static_cast<std::size_t>(fd)), fd);
    ::dup2(task.status_pipe(), wire::k_status_fd);
    ::close_range(3, wire::k_status_fd - 1, 0);
    if (::unshare(CLONE_NEWIPC) != 0 || !drop_to_keeping(*Root::claim(), {k_uid, k_gid, {k_group}}, 0) ||
        ::chdir(task.place().c_str()) != 0)
        ::_exit(126);
    std::vector<const char*> argv = {"ckpt-init", "run", "--mask", "0", "--", command.front().c_str()};
    for (const std::string& word : command)
        argv.push_back(word.c_str());
    argv.push_back(nullptr);
    ::execv(k_init, const_cast<char**>(argv.data())); // execv takes char* by history
    ::_exit(126);
}

} // namespace

wire::UserIds user() {
    return {k_uid, k_gid, {k_group}};
}

Task::Task(std::string place, const std::string& name, Output output)
    : m_place(std::move(place)), m_cgroup("/sys/fs/cgroup/" + name), m_kind(output) {
    ::mkdir(m_cgroup.c_str(), 0755);
    make_stdio(name + ".out");
}

Task::~Task() {
    kill_tree();
    for (int i = 0; i < 200 && ::rmdir(m_cgroup.c_str()) != 0; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

void Task::make_stdio(const std::string& output_name) {
    m_input = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    auto status = make_pipe();
    m_status_read = std::move(status->read);
    m_status_write = std::move(status->write);
    if (m_kind == Output::pipe) {
        auto pipe = make_pipe();
        m_output_read = std::move(pipe->read);
        m_output = std::move(pipe->write);
        ::fcntl(m_output_read.get(), F_SETFL, O_NONBLOCK);
        return;
    }
    m_output_name = output_name;
    const AsUser as_user; // like slurmstepd
    m_output =
        Fd(::open((m_place + "/" + output_name).c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
}

void Task::start(const std::string& script) {
    start_command({"/bin/bash", "-c", script});
}

void Task::start_command(const std::vector<std::string>& command) {
    m_root = ::fork();
    if (m_root == 0) become_init(*this, command);
    m_root_inside = m_root;
    m_root_pidfd = std::move(*open_pidfd(m_root));
    m_mount_ns = std::move(*open_namespace(::getpid(), "mnt"));
    m_pid_ns = std::move(*open_namespace(::getpid(), "pid"));
}

wire::InitReport Task::report(std::chrono::milliseconds limit) {
    wire::InitReport report{static_cast<wire::InitStatus>(0), 0};
    pollfd wait_for{m_status_read.get(), POLLIN, 0};
    if (::poll(&wait_for, 1, static_cast<int>(limit.count())) > 0)
        (void)!::read(m_status_read.get(), &report, sizeof report);
    return report;
}

void Task::renew(const std::string& output_name) {
    (void)output(); // what the old pipe still holds
    make_stdio(output_name);
}

void Task::adopt(pid_t root, pid_t root_inside, pid_t init, Fd root_pidfd, Fd mount_ns, Fd pid_ns) {
    m_root = root;
    m_root_inside = root_inside;
    m_init = init;
    m_root_pidfd = std::move(root_pidfd);
    m_mount_ns = std::move(mount_ns);
    m_pid_ns = std::move(pid_ns);
}

void Task::signal(int number, wire::SignalScope scope) {
    siginfo_t info{};
    info.si_signo = number;
    info.si_code = SI_QUEUE;
    info.si_value.sival_int = static_cast<int>(scope);
    ::syscall(SYS_pidfd_send_signal, m_root_pidfd.get(), number, &info, 0);
}

void Task::kill_tree() {
    if (m_root == 0) return;
    if (const auto pids = tree_pids(m_root)) {
        for (const pid_t pid : *pids)
            ::kill(pid, SIGKILL);
    }
    ::waitpid(m_root, nullptr, 0); // ours only before the first restore
    m_root = 0;
    eventually([this] { return cgroup_pids().empty(); });
}

std::string Task::output() {
    if (m_kind == Output::file) return file_text(m_place + "/" + m_output_name);
    std::array<char, 4096> buffer{};
    for (ssize_t n = 0; (n = ::read(m_output_read.get(), buffer.data(), buffer.size())) > 0;)
        m_delivered.append(buffer.data(), static_cast<std::size_t>(n));
    return m_delivered;
}

std::vector<pid_t> Task::cgroup_pids() const {
    std::ifstream in(m_cgroup + "/cgroup.procs");
    return {std::istream_iterator<pid_t>(in), {}};
}

bool eventually(const std::function<bool()>& ready, std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!ready()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

bool process_named(const std::string& name) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const auto info = process_info(std::atoi(entry.path().filename().c_str())); // 0: no process
        if (info && info->name == name && info->state != 'Z') return true;
    }
    return false;
}

AsUser::AsUser() {
    (void)!::setgroups(1, &k_group);
    (void)!::setegid(k_gid);
    (void)!::seteuid(k_uid);
}

AsUser::~AsUser() {
    (void)!::seteuid(0);
    (void)!::setegid(0);
    (void)!::setgroups(0, nullptr);
}

std::string file_text(const std::string& path) {
    const AsUser as_user;
    const std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

void put_file(const std::string& path, const std::string& text) {
    const AsUser as_user;
    std::ofstream(path, std::ios::binary) << text;
}

} // namespace ckpt::testing
