// SPDX-License-Identifier: GPL-2.0-or-later
// What /proc says about processes. Everything read here can be changed by the user a moment later.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

struct ProcessInfo {
    pid_t pid = 0;
    pid_t ppid = 0;
    pid_t pgid = 0;
    pid_t sid = 0;
    char state = '?';
    uid_t uid = 0;                // real
    uid_t euid = 0;               // effective
    std::string name;             // comm
    std::uint64_t start_time = 0; // clock ticks since boot: tells a reused pid
    std::vector<pid_t> ns_pids;   // one per nested pid namespace, innermost last
};

// What a process does about signals; bit N-1 = signal N.
struct SignalSets {
    std::uint64_t blocked = 0; // by its first thread
    std::uint64_t ignored = 0;
    std::uint64_t caught = 0;
    [[nodiscard]] bool has_caught(int signal) const { return (caught >> (signal - 1) & 1U) != 0; }
};
Result<SignalSets> signal_sets(pid_t pid);

// A process that is told from a later one with its pid.
struct KnownProcess {
    std::int32_t pid = 0; // 0 = none
    std::uint64_t start_time = 0;
    template <class V>
    void fields(V& v) {
        v(pid, start_time);
    }
};

// /proc/PID as a directory descriptor: it stays bound to that process, never to one that reuses its pid.
Result<Fd> open_proc(pid_t pid);
Result<ProcessInfo> process_info(pid_t pid);
Result<KnownProcess> know_process(pid_t pid);
// A pidfd of that very process; Code::not_found when it has ended.
Result<Fd> open_pidfd(const KnownProcess& process);

// The file that a process executes.
struct Executable {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    bool operator==(const Executable&) const = default;
};
Result<Executable> executable_of(pid_t pid);

// What /proc/PID/fdinfo/FD says; `dir` is /proc/PID/fdinfo.
struct FdInfo {
    std::uint64_t position = 0;
    std::uint32_t flags = 0; // open(2)
};
Result<FdInfo> fd_info(int dir, const std::string& name);

// Identity of a namespace: the inode behind /proc/PID/ns/NAME.
Result<std::uint64_t> namespace_inode(pid_t pid, const std::string& name);
Result<Fd> open_namespace(pid_t pid, const std::string& name);

// Of it what is the process's own, or shared with those it has forked (RssAnon of proc_pid_status(5)).
Result<std::uint64_t> anonymous_bytes(pid_t pid);
// Resident memory of one process in bytes (statm).
Result<std::uint64_t> resident_bytes(pid_t pid);

} // namespace ckpt
