// SPDX-License-Identifier: GPL-2.0-or-later
#include "find_again.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <sstream>

#include "os/cgroup.hpp"
#include "os/files.hpp"
#include "os/process.hpp"
#include "os/procfs.hpp"
#include "os/tree.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_procs_max = 1 << 20;

// A namespace that was pinned by the daemon before us. Its own processes are asked: slurmstepd, pid 1 of a
// namespace of ours, which its user cannot trace, and ourselves. The user's shim is believed only where the
// kernel never gives the same identity twice.
Result<Fd> open_again(const TaskOnFile& task, const std::string& name, const NamespaceId& wanted) {
    std::vector<pid_t> candidates{::getpid()};
    if (task.init.pid != 0 && open_pidfd(task.init)) candidates.push_back(task.init.pid);
    if (const auto shim = process_info(task.shim.pid)) {
        const auto parent = process_info(shim->ppid);
        if (parent && parent->uid == 0 && parent->euid == 0) candidates.push_back(parent->pid);
    }
    if (wanted.unique != 0) candidates.push_back(task.shim.pid);
    for (const pid_t pid : candidates)
        if (auto fd = open_namespace(pid, name, wanted)) return fd;
    return fail(Code::not_found, "the task's " + name + " namespace cannot be found again");
}

std::vector<pid_t> processes_in(const std::string& cgroup) {
    std::vector<pid_t> pids;
    const Fd file(::open((cgroup + "/cgroup.procs").c_str(), O_RDONLY | O_CLOEXEC));
    const auto text = file ? read_all(file.get(), k_procs_max) : Result<std::string>(std::string());
    std::istringstream in(text ? *text : std::string());
    for (pid_t pid = 0; in >> pid;)
        pids.push_back(pid);
    return pids;
}

} // namespace

Status find_namespaces(Task& task, const TaskOnFile& file) {
    CKPT_TRY(task.mount_namespace, open_again(file, "mnt", file.mount_namespace));
    CKPT_TRY(task.pid_namespace, open_again(file, "pid", file.pid_namespace));
    task.mount_namespace_id = file.mount_namespace;
    task.pid_namespace_id = file.pid_namespace;
    return {};
}

Result<Task> find_task(const TaskOnFile& file) {
    Task task;
    CKPT_TRY(task.shim_pidfd, open_pidfd(file.shim));
    task.registered = file.registered;
    task.shim_pid = file.shim.pid;
    task.shim_start_time = file.shim.start_time;
    task.user = {file.registered.uid, file.registered.gid, file.registered.groups};
    task.init_pid = file.init.pid;
    task.init_start_time = file.init.start_time;
    task.memory_cgroup = file.memory_cgroup;
    task.oom_kills_before = file.oom_kills_before;
    task.was_restoring = file.restoring;
    task.stand_in = file.stand_in;
    task.step = file.step;
    if (file.root.pid == 0) return task;
    auto root = open_pidfd(file.root);
    if (!root) return task; // it has ended, and its shim will say how
    task.root_pidfd = std::move(*root);
    task.root_pid = file.root.pid;
    task.root_start_time = file.root.start_time;
    task.root_pid_inside = file.root_pid_inside;
    return task;
}

namespace {

// By its number, or since Slurm 26.05 by a name that says nothing of it (os/cgroup.hpp).
bool may_be_of_job(const std::string& cgroup, std::uint32_t job_id) {
    const std::string of_job = job_cgroup(cgroup);
    if (of_job.empty()) return false;
    const std::string name = of_job.substr(of_job.rfind('/') + 1);
    return !name.starts_with("job_") || name == "job_" + std::to_string(job_id);
}

} // namespace

void kill_untold_tree(const Job& job, const Task& task) {
    const auto cgroup = cgroup_dir(task.shim_pid);
    // With another proctrack than cgroup it would hold other processes of the user's.
    if (!cgroup || !may_be_of_job(*cgroup, task.registered.job_id)) return;
    std::set<pid_t> others; // of the step, which share it
    for (const auto& [key, other] : job.tasks)
        for (const pid_t root : {other.shim_pid, other.root_pid, other.init_pid})
            if (&other != &task && root != 0)
                if (const auto pids = tree_pids(root)) others.insert(pids->begin(), pids->end());
    for (const pid_t pid : processes_in(*cgroup)) {
        if (pid == task.shim_pid || others.contains(pid)) continue;
        const auto pidfd = open_pidfd(pid);
        const auto info = process_info(pid);
        const auto now_in = cgroup_dir(pid);
        if (pidfd && info && info->uid == task.user.uid && now_in && *now_in == *cgroup)
            (void)signal_pidfd(pidfd->get(), SIGKILL);
    }
}

} // namespace ckpt
