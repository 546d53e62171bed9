// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/survey.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <set>
#include <sstream>
#include <string_view>
#include <thread>

#include "engine/connections.hpp"
#include "engine/pmi.hpp"
#include "engine/task_environment.hpp"
#include "os/cgroup.hpp"
#include "os/files.hpp"
#include "os/procfs.hpp"
#include "os/safe_path.hpp"
#include "os/tree.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_proc_file_max = 4 << 20;
constexpr std::size_t k_mount = 0; // in k_namespace_names
constexpr std::size_t k_pid = 1;
constexpr std::size_t k_user = 2;
constexpr std::string_view k_socket_prefix = "socket:["; // "socket:[INODE]"
constexpr std::string_view k_pipe_prefix = "pipe:[";     // likewise
constexpr std::size_t k_net_file_max = 64 << 20;
constexpr int k_stranger_attempts = 4;
constexpr std::chrono::milliseconds k_stranger_pause{25};

Result<std::string> read_file(int dir, const char* name) {
    const Fd fd(::openat(dir, name, O_RDONLY | O_CLOEXEC));
    if (!fd) return fail_errno(Code::not_found, std::string("open ") + name);
    return read_all(fd.get(), k_proc_file_max);
}

// "Uid:\t1 2 3 4" and friends of /proc/PID/status.
void read_status(const std::string& status, Member& member) {
    std::istringstream lines(status);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t colon = line.find(':');
        if (colon == std::string::npos) continue;
        const std::string key = line.substr(0, colon);
        std::istringstream values(line.substr(colon + 1));
        if (key == "Name")
            member.name = line.substr(colon + 2);
        else if (key == "State")
            values >> member.state;
        else if (key == "Uid")
            for (uid_t& id : member.uids)
                values >> id;
        else if (key == "Gid")
            for (gid_t& id : member.gids)
                values >> id;
        else if (key == "CapPrm")
            values >> std::hex >> member.capabilities;
        else if (key == "Seccomp")
            member.seccomp = line.find_first_not_of("0 \t", colon + 1) != std::string::npos;
    }
}

Status read_namespaces(int proc, Namespaces& out) {
    for (std::size_t i = 0; i < k_namespace_names.size(); ++i) {
        struct stat st{};
        const std::string name = std::string("ns/") + k_namespace_names.at(i);
        if (::fstatat(proc, name.c_str(), &st, 0) == 0)
            out.at(i) = st.st_ino;
        else if (errno != ENOENT)
            return fail_errno(Code::os, "look at a namespace");
        // An older kernel has no time namespaces, and a process that is ending none at all any more
        // (kernel/exit.c:do_exit, exit_task_namespaces), although it is no zombie yet.
        else if (::access(("/proc/self/" + name).c_str(), F_OK) == 0)
            return fail(Code::not_found, "the process is ending");
    }
    return {};
}

// The number in "socket:[INODE]".
std::uint64_t inode_in(const std::string& link, std::string_view prefix) {
    return std::strtoull(link.c_str() + prefix.size(), nullptr, 10);
}

// The link's own mode tells for what a descriptor is open (fs/proc/fd.c:tid_fd_update_inode).
bool is_open_for_reading(int fds, const std::string& name) {
    struct stat st{};
    return ::fstatat(fds, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IRUSR) != 0;
}

Status read_descriptors(int proc, Member& member) {
    const Fd fds(::openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fds) return fail_errno(Code::os, "list descriptors");
    CKPT_TRY(const auto names, list_dir(fds.get()));
    for (const std::string& name : names) {
        std::string link = link_target(fds.get(), name);
        if (link.starts_with(k_socket_prefix))
            member.sockets.push_back(inode_in(link, k_socket_prefix));
        else if (link.starts_with(k_pipe_prefix) && is_open_for_reading(fds.get(), name))
            member.pipes.push_back(inode_in(link, k_pipe_prefix));
        else if (link.starts_with("anon_inode:") || link.starts_with("/dev/"))
            member.special.push_back(std::move(link));
    }
    return {};
}

// A process that has forbidden dumps of itself has root as the owner of its files in /proc
// (fs/proc/base.c:task_dump_owner).
bool has_forbidden_dumps(int proc, uid_t uid) {
    struct stat owner{};
    return ::fstatat(proc, "fd", &owner, 0) == 0 && owner.st_uid != uid;
}

// So has one whose program may be run but not read (kernel fs/exec.c:would_dump), which nobody could open
// again.
bool may_read_program(int proc, uid_t uid) {
    struct stat exe{};
    if (::fstatat(proc, "exe", &exe, 0) != 0) return true;
    const mode_t readable = S_IROTH | S_IRGRP | (exe.st_uid == uid ? S_IRUSR : 0U);
    return (exe.st_mode & readable) != 0;
}

Result<Member> read_member(pid_t pid, gid_t own_gid) {
    CKPT_TRY(const Fd proc, open_proc(pid));
    Member member;
    member.pid = pid;
    CKPT_TRY(const std::string status, read_file(proc.get(), "status"));
    read_status(status, member);
    member.exe = link_target(proc.get(), "exe");
    // A zombie that criu restored keeps criu's rights, and its exit status is told only to who has them all
    // (fs/proc/array.c:do_task_stat, security/commoncap.c:cap_ptrace_access_check).
    member.closed = member.capabilities != 0;
    if (member.state == 'Z') return member;
    const bool forbidden = has_forbidden_dumps(proc.get(), member.uids[1]);
    const auto other_gid = [&](gid_t gid) { return gid != own_gid; };
    member.exe_readable = !forbidden || may_read_program(proc.get(), member.uids[1]);
    member.closed |= forbidden || std::ranges::any_of(member.gids, other_gid);
    CKPT_CHECK(read_namespaces(proc.get(), member.namespaces));
    CKPT_CHECK(read_descriptors(proc.get(), member));
    return member;
}

// The root must be where ckptd pinned it: everything that enters its namespaces as root relies on that.
Status judge_root(const Member& root, int mount_ns, int pid_ns) {
    struct stat mount{};
    struct stat pid{};
    struct stat user{};
    if (::fstat(mount_ns, &mount) != 0 || ::fstat(pid_ns, &pid) != 0 ||
        ::stat("/proc/self/ns/user", &user) != 0)
        return fail_errno(Code::os, "look at the pinned namespaces");
    if (root.namespaces.at(k_mount) != mount.st_ino || root.namespaces.at(k_pid) != pid.st_ino ||
        root.namespaces.at(k_user) != user.st_ino)
        return fail(Code::dump_refused, "the job is not in the namespaces it was started in",
                    "jobs in user namespaces or containers cannot be checkpointed");
    return {};
}

Result<std::vector<pid_t>> cgroup_members(pid_t root) {
    CKPT_TRY(const std::string dir, cgroup_dir(root));
    const Fd file(::open((dir + "/cgroup.procs").c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return fail_errno(Code::os, "open " + dir + "/cgroup.procs");
    CKPT_TRY(const std::string text, read_all(file.get(), k_proc_file_max));
    std::istringstream in(text);
    std::vector<pid_t> pids;
    for (pid_t pid = 0; in >> pid;)
        pids.push_back(pid);
    return pids;
}

std::vector<std::int32_t> all_below(const std::vector<std::int32_t>& roots) {
    std::vector<std::int32_t> all = roots;
    for (const std::int32_t root : roots)
        if (const auto pids = tree_pids(root)) all.insert(all.end(), pids->begin(), pids->end());
    return all;
}

// A process may be born, end or change its parent while we look, so a stranger counts when it stays one.
Status judge_cgroup(const wire::DumpRequest& request) {
    std::vector<pid_t> found;
    for (int attempt = 0; attempt < k_stranger_attempts; ++attempt) {
        if (attempt > 0) std::this_thread::sleep_for(k_stranger_pause);
        CKPT_TRY(const auto cgroup, cgroup_members(request.root_pid));
        CKPT_TRY(const auto tree, tree_pids(request.root_pid));
        found = strangers(cgroup, tree, all_below(request.outsiders));
        if (found.empty()) return {};
    }
    const auto info = process_info(found.front());
    return fail(Code::dump_refused,
                (info ? info->name : "a process") + " (pid " + std::to_string(found.front()) +
                    ") runs in the job's cgroup but not below the job's first process",
                "it would be lost in a restore; start it from the job's own processes");
}

Error refuse_connection(pid_t shim, const std::string& remote) {
    if (is_pmix_server(environment_of(shim).value_or(""), remote)) return pmix_refusal();
    return {Code::dump_refused, "the job has a TCP connection to " + remote + " outside of it",
            "close it before the checkpoint, or use --checkpoint-method=app:SIG", 0};
}

Status judge_connections(pid_t shim, const std::vector<Member>& members) {
    std::set<std::uint64_t> own;
    for (const Member& member : members)
        own.insert(member.sockets.begin(), member.sockets.end());
    if (own.empty()) return {};
    std::vector<Connection> all;
    for (const char* table : {"tcp", "tcp6"}) {
        const std::string path = "/proc/" + std::to_string(members.front().pid) + "/net/" + table;
        const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file) continue; // IPv6 may be off
        CKPT_TRY(const std::string text, read_all(file.get(), k_net_file_max));
        for (Connection& one : connections_in(text))
            all.push_back(std::move(one));
    }
    if (const auto outside = outside_connection(all, own))
        return tl::unexpected(refuse_connection(shim, readable_address(outside->remote)));
    return {};
}

} // namespace

Result<std::vector<Member>> survey(const wire::DumpRequest& request, int mount_ns, int pid_ns) {
    CKPT_TRY(const auto pids, tree_pids(request.root_pid));
    std::vector<Member> members;
    for (const pid_t pid : pids) {
        auto member = read_member(pid, request.user.gid);
        if (member)
            members.push_back(std::move(*member));
        else if (pid == request.root_pid)
            return tl::unexpected(member.error());
    }
    CKPT_CHECK(judge_members(members, request.user));
    CKPT_CHECK(judge_root(members.front(), mount_ns, pid_ns));
    CKPT_CHECK(judge_pipes(members));
    CKPT_CHECK(judge_cgroup(request));
    CKPT_CHECK(judge_pmi2(request.shim_pid, members));
    CKPT_CHECK(judge_connections(request.shim_pid, members));
    return members;
}

} // namespace ckpt
