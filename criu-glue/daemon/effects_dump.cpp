// SPDX-License-Identifier: GPL-2.0-or-later
// Dumps: each is a worker that is started here and whose result becomes an event.
#include <algorithm>
#include <array>
#include <ctime>

#include "effects_common.hpp"
#include "log.hpp"
#include "os/process.hpp"
#include "os/procfs.hpp"
#include "os/tree.hpp"
#include "server.hpp"

namespace ckpt {

namespace {

constexpr Seconds k_kill_wait{30}; // Slurm's default
constexpr Seconds k_status_patience{3};

// Ours in the task's cgroup, outside the tree, with what is below them: the shims (canaries, real sruns,
// other tasks of the step), and the first processes of our namespaces.
std::vector<std::int32_t> outsiders_of(const Job& job) {
    std::vector<std::int32_t> pids;
    for (const auto& [key, task] : job.tasks) {
        pids.push_back(task.shim_pid);
        if (task.init_pid != 0) pids.push_back(task.init_pid);
    }
    return pids;
}

} // namespace

wire::Files files_of(const Job& job) {
    switch (job.state.plan.files.value) {
    case FilesMode::append:
        break;
    case FilesMode::copy:
        return wire::Files::copy;
    case FilesMode::none:
        return wire::Files::none;
    }
    return wire::Files::append;
}

// Slurm's SIGKILL comes KillWait after the SIGTERM that the shim holds back; an application whose dump does
// not fit still needs time for its own handler.
Seconds forced_end_limit(const Job& job) {
    const Seconds kill_wait = job.facts.kill_wait > 0 ? Seconds(job.facts.kill_wait) : k_kill_wait;
    return kill_wait * 2 / 3;
}

Seconds Server::dump_limit(const Job& job, const effect::Dump& e) const {
    if (!e.leave_stopped || e.reason != Reason::forced_end) return m_policy.engine.dump_timeout;
    return std::clamp(forced_end_limit(job), Seconds(1), m_policy.engine.dump_timeout);
}

// At the least: memory that several processes share counts once, and a rate counts only if it was measured on
// what was large enough.
DumpNeed Server::dump_need(const Job& job) const {
    DumpNeed need;
    for (const auto& [key, task] : job.tasks) {
        if (task.root_pid == 0) continue;
        const auto pids = tree_pids(task.root_pid);
        if (!pids) continue;
        for (const pid_t pid : *pids)
            need.bytes = std::max(need.bytes, anonymous_bytes(pid).value_or(0));
    }
    need.bytes_per_s = m_rates.dump;
    if (job.newest_bytes >= k_telling_bytes) need.bytes_per_s = std::max(need.bytes_per_s, job.rates.dump);
    return need;
}

Status Server::start_dump(Job& job, const effect::Dump& e) {
    Task& task = job.tasks.at(e.task);
    if (!m_local) return fail(Code::dump_unfit, "the local directory for images is not usable");
    if (!task.root_pidfd) return fail(Code::not_found, "the job's processes have ended");
    const Seconds limit = dump_limit(job, e);
    std::optional<DumpNeed>& known = job.generations[e.generation].need;
    if (!known) known = dump_need(job);
    const DumpNeed need = *known;
    make_room_for(std::max(need.bytes, job.newest_bytes));
    CKPT_CHECK(dump_fits(need, {limit, m_local->space()}));
    CKPT_TRY(const Fd images, m_local->make(job.local_name, LocalTier::image_name(e.generation, e.task)));
    wire::DumpRequest request;
    request.criu = m_policy.engine.criu;
    request.root_pid = task.root_pid;
    request.root_pid_inside = task.root_pid_inside;
    request.user = task.user;
    request.outsiders = outsiders_of(job);
    request.stdio = task.stdio;
    request.state = task.state;
    request.together = e.together;
    request.ghost_limit = m_policy.engine.ghost_limit;
    request.node_local = m_policy.engine.node_local;
    request.node_local_limit = m_policy.engine.node_local_limit;
    request.files = files_of(job);
    request.copy_limit = m_policy.engine.copy_limit;
    request.tail_limit = m_policy.engine.tail_limit;
    request.shim_pid = task.shim_pid;
    request.timeout_ms = milliseconds(limit);
    request.leave_stopped = e.leave_stopped;
    request.keeper_uid = m_sealer.uid;
    request.keeper_gid = m_sealer.gid;
    request.task_name = task_name(job, e.task);
    request.room_to_come = m_local->trash().bytes();
    empty_trash(); // which is faster than criu
    const std::array fds = {images.get(), task.mount_namespace.get(), task.pid_namespace.get(),
                            task.root_pidfd.get(), task.shim_pidfd.get()};
    job.generations[e.generation].taken_at = std::time(nullptr);
    task.worker = m_workers.start(
        "ckpt-engine", wire::encode(request), fds, limit + wire::k_engine_margin,
        [this, job_id = job.facts.job_id, serial = job.serial, key = e.task,
         gen = e.generation,
         reason = e.reason](const auto& result) { dumped(job_id, serial, key, gen, reason, result); },
        WorkerRuns{0,
                   {},
                   false,
                   [this, job_id = job.facts.job_id, serial = job.serial, key = e.task, gen = e.generation](
                       const Packet& packet) { return dump_waits(job_id, serial, key, gen, packet); }});
    return {};
}

void Server::perform(Job& job, const effect::Dump& e) {
    const Status started = e.refused ? tl::unexpected(*e.refused) : start_dump(job, e);
    if (started) return;
    m_loop.after(std::chrono::milliseconds(0), [this, job_id = job.facts.job_id, e, error = started.error()] {
        handle(job_id, event::DumpEnded{e.task, error, 0, 0, e.generation});
    });
}

void Server::dumped(std::uint32_t job_id, std::uint64_t serial, const TaskKey& task, std::uint32_t generation,
                    Reason reason, const Result<Packet>& packet) {
    Job* job = find_job(job_id, serial);
    if (job == nullptr || !job->tasks.contains(task)) return;
    const auto result = result_of<wire::DumpResult>(packet);
    event::DumpEnded ended{task, std::nullopt, 0, 0, generation};
    if (result) {
        ended.frozen_us = result->frozen_us;
        ended.image_bytes = result->image_bytes;
        job->rates.dump = rate(result->image_bytes, std::chrono::microseconds(result->total_us));
        if (result->image_bytes >= k_telling_bytes) m_rates.dump = job->rates.dump;
        job->last_cost = std::chrono::ceil<Seconds>(std::chrono::microseconds(result->frozen_us));
        job->generations[generation].parts[task] = {
            task.step_id,        task.task_id,      job->facts.node,      result->frozen_us,
            result->image_bytes, result->processes, result->criu_version, job->tasks.at(task).stand_in};
        job->generations[generation].mounts.insert(result->mounts.begin(), result->mounts.end());
        job->newest_bytes = 0;
        for (const auto& [key, part] : job->generations[generation].parts)
            job->newest_bytes += part.image_bytes;
    } else {
        ended.error = result.error();
        if (ended.error->code == Code::deadline) ended.error->code = Code::dump_timeout;
        const bool has_ended = ended.error->code == Code::not_found && job->tasks.at(task).stand_in != 0;
        if (!has_ended && may_log(*job, reason))
            log::warning("job " + std::to_string(job_id) + ": no checkpoint: " + one_line(*ended.error));
    }
    if (job->coordinator && dump_was_left(*job, ended)) return;
    const bool has_ended = ended.error && ended.error->code == Code::not_found;
    handle(job_id, ended);
    if (has_ended) await_status(job_id, serial, task);
}

// Its shim says how it has ended, and the job stands still until then.
void Server::await_status(std::uint32_t job_id, std::uint64_t serial, const TaskKey& task) {
    m_loop.after(k_status_patience, [this, job_id, serial, task] {
        const Job* job = find_job(job_id, serial);
        if (job != nullptr && job->state.taking && job->state.taking->leaving.contains(task))
            handle(job_id, event::TaskGone{task, {}});
    });
}

} // namespace ckpt
