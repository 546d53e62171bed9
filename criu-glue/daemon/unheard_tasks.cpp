// SPDX-License-Identifier: GPL-2.0-or-later
// Tasks whose shim is not connected. One that could not reach us in time, since we hung or its user had no
// descriptors left, has started its application without us, and will not say so: its process tells.
#include "os/process.hpp"
#include "os/procfs.hpp"
#include "os/tree.hpp"
#include "server.hpp"

namespace ckpt {

namespace {

constexpr const char* k_shim = "ckpt-shim"; // as it names itself

// Until it has executed the shim it is in slurmstepd's code, where a task prolog may be its child
// (slurmstepd/task.c:exec_task). The shim has no children but its tree, unless it gives its own place to the
// application.
bool runs_application(const Task& task) {
    if (task.shim != 0 || task.root_pid != 0 || task.alone) return false; // we know of it
    if (!pidfd_alive(task.shim_pidfd.get())) return false;
    const auto info = process_info(task.shim_pid);
    if (!info) return false;
    const auto own = executable_of(task.shim_pid);
    const auto of_parent = executable_of(info->ppid);
    if (own && of_parent && *own == *of_parent) return false;
    if (info->name != k_shim) return true;
    const auto children = child_pids(task.shim_pid);
    return children && !children->empty();
}

} // namespace

bool Server::report_those_without_us(const Job& job) {
    std::vector<TaskKey> found;
    for (const auto& [key, task] : job.tasks)
        if (runs_application(task)) found.push_back(key);
    const std::uint32_t job_id = job.facts.job_id;
    for (const TaskKey& key : found)
        handle(job_id, event::RunsWithoutUs{key});
    return !found.empty();
}

// Of a task that has ended before its hello nobody may tell us: slurmstepd may have been killed with it.
void Server::sign_off_dead_tasks(const Job& job) {
    std::vector<TaskKey> dead;
    for (const auto& [key, task] : job.tasks)
        if (task.shim == 0 && !pidfd_alive(task.shim_pidfd.get())) dead.push_back(key);
    const std::uint32_t job_id = job.facts.job_id;
    for (const TaskKey& key : dead)
        handle(job_id, event::TaskGone{key, memory_facts(job_id, key)});
}

} // namespace ckpt
