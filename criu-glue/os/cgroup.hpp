// SPDX-License-Identifier: GPL-2.0-or-later
// Control groups as they are mounted here: version 2, or the hierarchies of version 1. Paths are absolute and
// of the caller's mount namespace.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "result/result.hpp"

namespace ckpt {

// The one in which Slurm keeps track of a task's processes: of cgroup2, or of the freezer hierarchy of
// version 1 (proctrack_cgroup.c).
Result<std::string> cgroup_dir(pid_t pid);

// Of a directory that cgroup_dir() gave, or a line of /proc/PID/cgroup: that of the Slurm job which it is
// part of, the one with the steps
// (".../job_4711"; since Slurm 26.05 the job's SLUID, cgroup_v2.c:cgroup_p_step_create). "" = of none.
std::string job_cgroup(const std::string& dir);

// All the process is in: one of cgroup2; in version 1 one in each hierarchy that is mounted, of which Slurm
// uses some and the service manager others. Never empty.
Result<std::vector<std::string>> cgroup_dirs(pid_t pid);

// The process is in a frozen cgroup: somebody has suspended it.
bool is_frozen(pid_t pid);

// The one whose memory is accounted. Code::not_found where nobody does.
Result<std::string> memory_cgroup_dir(pid_t pid);

// What a line of /proc/PID/cgroup says.
struct CgroupLine {
    std::string controllers; // "memory", "cpu,cpuacct", "name=systemd"; "" = version 2
    std::string path;
};
std::vector<CgroupLine> cgroup_lines(const std::string& text);

struct MemoryCgroup {
    std::uint64_t oom_kills = 0; // processes that the kernel has killed for want of memory
    std::uint64_t limit = 0;     // bytes, the lowest of it and those above; 0 = none
    bool limit_was_hit = false;  // and not enough could be reclaimed; else it was the node's memory
};
// Of a directory that memory_cgroup_dir() gave; zeros for what cannot be read.
MemoryCgroup memory_cgroup(const std::string& dir);

} // namespace ckpt
