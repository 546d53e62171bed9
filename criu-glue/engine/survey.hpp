// SPDX-License-Identifier: GPL-2.0-or-later
// What a dump must not find. Looked for before any memory is read: CRIU would notice some of it late and some
// never.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "result/result.hpp"
#include "wire/engine_messages.hpp"

namespace ckpt {

// The namespaces in which a member must agree with the root.
constexpr std::array k_namespace_names = {"mnt", "pid", "user", "net", "ipc", "uts", "cgroup", "time"};
using Namespaces = std::array<std::uint64_t, k_namespace_names.size()>;

struct Member {
    pid_t pid = 0;
    char state = '?';
    std::string name;            // comm
    std::string exe;             // what /proc/PID/exe points to; empty for zombies
    std::array<uid_t, 4> uids{}; // real, effective, saved, file system
    std::array<gid_t, 4> gids{};
    std::uint64_t capabilities = 0; // permitted
    bool seccomp = false;
    bool exe_readable = true; // the user may read its program's file
    bool closed = false;      // only with CAP_SYS_PTRACE can the user's criu look into it
    Namespaces namespaces{};
    std::vector<std::string> special;   // links of descriptors that are neither files, pipes nor sockets
    std::vector<std::uint64_t> sockets; // inodes
    std::vector<std::uint64_t> pipes;   // likewise, of those that it can read from
};

// The first reason against dumping `members` (root first), nothing when there is none.
Status judge_members(const std::vector<Member>& members, const wire::UserIds& user);

// Pids in the cgroup that are neither of the tree nor of ours.
std::vector<pid_t> strangers(const std::vector<pid_t>& cgroup, const std::vector<pid_t>& tree,
                             const std::vector<std::int32_t>& outsiders);

// CRIU keeps the data of so many pipes for each tree (criu/include/pipes.h:NR_PIPES_WITH_DATA): each that a
// process can read from, whether it is empty or not, and once, however many can (pipes.c:dump_one_pipe_data).
// Named ones are counted apart (fifo.c), and not here.
constexpr std::size_t k_pipes_max = 1024;
Status judge_pipes(const std::vector<Member>& members);

// Surveys the tree of `request`. `mount_ns` and `pid_ns` are the pinned namespaces.
Result<std::vector<Member>> survey(const wire::DumpRequest& request, int mount_ns, int pid_ns);

} // namespace ckpt
