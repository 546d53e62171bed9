// SPDX-License-Identifier: GPL-2.0-or-later
// A Slurm task as ckpt-engine sees it: a cgroup, stdio, a status pipe and a tree below ckpt-init. Plays
// slurmstepd and the shim.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "os/fd.hpp"
#include "os/process.hpp"
#include "wire/init_protocol.hpp"
#include "wire/worker.hpp"

namespace ckpt::testing {

constexpr uid_t k_uid = 2001;
constexpr gid_t k_gid = 2001;
constexpr gid_t k_group = 3001;

wire::UserIds user();

enum class Output { file, pipe };

class Task {
public:
    // `place` is a directory of the user's, `name` names the cgroup and the output file.
    Task(std::string place, const std::string& name, Output output);
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    ~Task();

    // Starts `bash -c script` below ckpt-init, as the user, in the task's cgroup and with an IPC namespace of
    // its own, as the plugin makes one per step.
    void start(const std::string& script);
    // The same with any command; its first word is the program's path.
    void start_command(const std::vector<std::string>& command);
    // The status pipe's next report; status 0 when none comes in time.
    wire::InitReport report(std::chrono::milliseconds limit = std::chrono::seconds(20));
    // A fresh output and status pipe, as the next incarnation's slurmstepd and shim make them.
    void renew(const std::string& output_name);
    void adopt(pid_t root, pid_t root_inside, pid_t init, Fd root_pidfd, Fd mount_ns, Fd pid_ns);
    void signal(int number, wire::SignalScope scope);
    void kill_tree();
    // Everything written so far: the file, or what the pipe delivered.
    std::string output();

    [[nodiscard]] pid_t root() const { return m_root; }
    [[nodiscard]] pid_t root_inside() const { return m_root_inside; }
    [[nodiscard]] pid_t init() const { return m_init; }
    [[nodiscard]] const std::string& cgroup() const { return m_cgroup; }
    // The output file's name below place().
    [[nodiscard]] const std::string& output_name() const { return m_output_name; }
    [[nodiscard]] const std::string& place() const { return m_place; }
    [[nodiscard]] std::vector<pid_t> cgroup_pids() const;
    // stdin, stdout, stderr, and the write end of the status pipe
    [[nodiscard]] std::vector<int> stdio() const { return {m_input.get(), m_output.get(), m_output.get()}; }
    [[nodiscard]] int status_pipe() const { return m_status_write.get(); }
    [[nodiscard]] int root_pidfd() const { return m_root_pidfd.get(); }
    [[nodiscard]] int mount_ns() const { return m_mount_ns.get(); }
    [[nodiscard]] int pid_ns() const { return m_pid_ns.get(); }

private:
    void make_stdio(const std::string& output_name);

    std::string m_place;
    std::string m_cgroup;
    std::string m_output_name;
    Output m_kind;
    Fd m_input;
    Fd m_output;
    Fd m_output_read;
    Fd m_status_read;
    Fd m_status_write;
    Fd m_root_pidfd;
    Fd m_mount_ns;
    Fd m_pid_ns;
    std::string m_delivered;
    pid_t m_root = 0;
    pid_t m_root_inside = 0;
    pid_t m_init = 0;
};

// Waits until `ready` holds.
bool eventually(const std::function<bool()>& ready,
                std::chrono::milliseconds limit = std::chrono::seconds(20));

// A process of this name exists.
bool process_named(const std::string& name);

// Takes the user's effective ids while it lives: what a test does in the user's directory, which may refuse
// root.
class AsUser {
public:
    AsUser();
    AsUser(const AsUser&) = delete;
    AsUser& operator=(const AsUser&) = delete;
    ~AsUser();
};

// As the user.
std::string file_text(const std::string& path);
void put_file(const std::string& path, const std::string& text);

} // namespace ckpt::testing
