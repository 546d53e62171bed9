// SPDX-License-Identifier: GPL-2.0-or-later
// Dumps, restores, commits: each is a worker that is started here and whose result becomes an event.
#include <algorithm>
#include <array>
#include <ctime>

#include "log.hpp"
#include "os/cgroup.hpp"
#include "os/process.hpp"
#include "os/procfs.hpp"
#include "os/tree.hpp"
#include "server.hpp"
#include "slurmctld.hpp"
#include "text/text.hpp"
#include "wire/worker.hpp"

namespace ckpt {

namespace {

// A commit or an unpack of the largest job on a slow file system.
constexpr std::chrono::minutes k_store_limit{30};
constexpr std::uint64_t k_telling_bytes = 64 << 20; // what is smaller says nothing about a large job
constexpr Seconds k_kill_wait{30};                  // Slurm's default
// The worker's own deadline comes first: it says more, and cleans up.

std::int64_t now() {
    return static_cast<std::int64_t>(std::time(nullptr));
}

// Bytes per second.
double rate(std::uint64_t bytes, std::chrono::duration<double> time) {
    return time.count() > 0 ? static_cast<double>(bytes) / time.count() : 0;
}

std::uint32_t milliseconds(Seconds value) {
    return static_cast<std::uint32_t>(value.count() * 1000);
}

LastEnd last_end_of(const wire::AdoptResult& result) {
    using Kind = Failure::Kind;
    LastEnd last;
    last.fault_again = result.fault_again;
    if (result.last_ended == wire::HowEnded::out_of_memory)
        last.failure = Failure{Kind::out_of_memory, result.last_memory_limit, 0};
    if (result.last_ended == wire::HowEnded::fault)
        last.failure = Failure{Kind::fault, 0, result.last_signal};
    return last;
}

// Ours in the task's cgroup, outside the tree: the shim, what it forked (its canary), and pid 1 of our
// namespace.
std::vector<std::int32_t> outsiders_of(const Task& task) {
    std::vector<std::int32_t> pids{task.shim_pid};
    if (task.init_pid != 0) pids.push_back(task.init_pid);
    if (const auto children = child_pids(task.shim_pid))
        std::ranges::remove_copy(*children, std::back_inserter(pids), task.root_pid);
    return pids;
}

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

// For the daemon after us. What cannot be read now is not found again then.
void know_restored(Task& task) {
    if (const auto root = know_process(task.root_pid)) task.root_start_time = root->start_time;
    if (const auto init = know_process(task.init_pid)) task.init_start_time = init->start_time;
    task.mount_namespace_id = namespace_id(task.mount_namespace.get()).value_or(NamespaceId{});
    task.pid_namespace_id = namespace_id(task.pid_namespace.get()).value_or(NamespaceId{});
}

} // namespace

// ---- dump ----

// Slurm's SIGKILL comes KillWait after the SIGTERM that the shim holds back; an application whose dump does
// not fit still needs time for its own handler.
Seconds Server::dump_limit(const Job& job, const effect::Dump& e) const {
    if (!e.leave_stopped || e.reason != Reason::forced_end) return m_policy.engine.dump_timeout;
    const Seconds kill_wait = job.facts.kill_wait > 0 ? Seconds(job.facts.kill_wait) : k_kill_wait;
    return std::clamp(kill_wait * 2 / 3, Seconds(1), m_policy.engine.dump_timeout);
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
    const DumpNeed need = dump_need(job);
    make_room_for(std::max(need.bytes, job.newest_bytes));
    CKPT_CHECK(dump_fits(need, {limit, m_local->space()}));
    CKPT_TRY(const Fd images, m_local->make(job.local_name, LocalTier::image_name(e.generation, e.task)));
    wire::DumpRequest request;
    request.criu = m_policy.engine.criu;
    request.root_pid = task.root_pid;
    request.root_pid_inside = task.root_pid_inside;
    request.user = task.user;
    request.outsiders = outsiders_of(task);
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
    const std::array fds = {images.get(), task.mount_namespace.get(), task.pid_namespace.get(),
                            task.root_pidfd.get(), task.shim_pidfd.get()};
    job.generations[e.generation].taken_at = now();
    task.worker = m_workers.start(
        "ckpt-engine", wire::encode(request), fds, limit + wire::k_engine_margin,
        [this, job_id = job.facts.job_id, serial = job.serial, key = e.task,
         gen = e.generation](auto result) { dumped(job_id, serial, key, gen, std::move(result)); });
    return {};
}

void Server::perform(Job& job, const effect::Dump& e) {
    const Status started = start_dump(job, e);
    if (started) return;
    m_loop.after(std::chrono::milliseconds(0),
                 [this, job_id = job.facts.job_id, key = e.task, error = started.error()] {
                     handle(job_id, event::DumpEnded{key, error, 0, 0});
                 });
}

void Server::dumped(std::uint32_t job_id, std::uint64_t serial, const TaskKey& task, std::uint32_t generation,
                    Result<Packet> packet) {
    Job* job = find_job(job_id, serial);
    if (job == nullptr) return;
    const auto result = result_of<wire::DumpResult>(packet);
    event::DumpEnded ended{task, std::nullopt, 0, 0};
    if (result) {
        ended.frozen_us = result->frozen_us;
        ended.image_bytes = result->image_bytes;
        job->newest_bytes = result->image_bytes;
        job->rates.dump = rate(result->image_bytes, std::chrono::microseconds(result->total_us));
        if (result->image_bytes >= k_telling_bytes) m_rates.dump = job->rates.dump;
        job->last_cost = std::chrono::ceil<Seconds>(std::chrono::microseconds(result->frozen_us));
        job->generations[generation].parts[task] = {
            task.step_id,        task.task_id,      job->facts.node,     result->frozen_us,
            result->image_bytes, result->processes, result->criu_version};
    } else {
        ended.error = result.error();
        if (ended.error->code == Code::deadline) ended.error->code = Code::dump_timeout;
        log::warning("job " + std::to_string(job_id) + ": no checkpoint: " + one_line(*ended.error));
    }
    handle(job_id, ended);
}

// ---- commit ----

void Server::perform(Job& job, const effect::Commit& e) {
    job.generations[e.generation].commit = e;
    job.commit_queue.push_back(e);
    start_next_commit(job);
}

void Server::start_next_commit(Job& job) {
    if (job.commit_runs || job.commit_queue.empty()) return;
    const effect::Commit next = job.commit_queue.front();
    job.commit_queue.pop_front();
    const Status started = start_commit(job, next);
    if (started) {
        job.commit_runs = true;
        return;
    }
    m_loop.after(std::chrono::milliseconds(0), [this, job_id = job.facts.job_id, serial = job.serial,
                                                gen = next.generation, error = started.error()] {
        handle(job_id, event::CommitEnded{gen, error, 0});
        if (Job* still = find_job(job_id, serial)) start_next_commit(*still);
    });
}

// What is written at once shares it.
std::uint64_t Server::share_of_bandwidth() const {
    const auto others = std::ranges::count_if(m_jobs, [](const auto& one) { return one.second.commit_runs; });
    const std::uint64_t all = m_policy.admission.bandwidth;
    return all == 0 ? 0 : std::max<std::uint64_t>(all / (static_cast<std::uint64_t>(others) + 1), 1);
}

// Whether the job, or its end, waits for what is on its way to the store.
bool Server::is_held_up(const Job& job) {
    const JobState& state = job.state;
    return state.ending || state.standing || state.limit_waits || state.epilog_waits;
}

bool Server::is_waited_for(const Job& job) {
    return is_held_up(job) || job.state.on_demand_waits;
}

Status Server::start_commit(Job& job, const effect::Commit& e) {
    if (!m_local) return fail(Code::dump_unfit, "the local directory for images is not usable");
    const Generation& generation = job.generations[e.generation];
    wire::CommitRequest request;
    request.place = job.place;
    request.generation = e.generation;
    request.keep = job.state.plan.keep.value;
    request.taken_at = generation.taken_at;
    request.reason = to_string(e.reason);
    request.tree_was_stopped = e.tree_was_stopped;
    std::vector<Fd> directories;
    std::vector<int> fds;
    for (const auto& [key, part] : generation.parts) {
        CKPT_TRY(Fd images, m_local->open(job.local_name, LocalTier::image_name(e.generation, key)));
        fds.push_back(images.get());
        directories.push_back(std::move(images));
        request.parts.push_back(part);
    }
    request.compression = m_policy.storage.compression;
    if (!is_last(e.reason) && !is_held_up(job)) { // else the trees may stand still until it is through
        request.bandwidth = share_of_bandwidth();
        request.leases = m_policy.admission.leases;
        request.lease_slots = m_policy.admission.commits;
    }
    request.retention = retention();
    request.has_generations = job.state.saved > 0;
    const auto began = std::chrono::steady_clock::now();
    job.commit_worker =
        start_sealer(store_of(job, !request.has_generations, !is_waited_for(job)), wire::encode(request), fds,
                     k_store_limit,
                     [this, job_id = job.facts.job_id, serial = job.serial, gen = e.generation,
                      began](const Result<Packet>& packet) {
                         Job* done = find_job(job_id, serial);
                         if (done == nullptr) return;
                         done->commit_runs = false;
                         const auto result = result_of<wire::CommitResult>(packet);
                         event::CommitEnded ended{gen, std::nullopt, 0};
                         if (result) {
                             ended.stored_bytes = result->stored_bytes;
                             done->rates.commit =
                                 rate(done->newest_bytes, std::chrono::steady_clock::now() - began);
                             if (done->newest_bytes >= k_telling_bytes) m_rates.commit = done->rates.commit;
                             for (const std::string& note : result->notes)
                                 log::warning("job " + std::to_string(job_id) + ": " + note);
                         } else {
                             ended.error = result.error();
                         }
                         handle(job_id, ended);
                         if (Job* still = find_job(job_id, serial)) start_next_commit(*still);
                     });
    return {};
}

void Server::perform(Job& job, const effect::DiscardImages& e) {
    if (e.is_saved) keep_copies(job, e.generation);
    const auto found = job.generations.find(e.generation);
    if (m_local)
        for (const auto& [key, task] : job.tasks)
            m_local->remove(job.local_name, LocalTier::image_name(e.generation, key));
    if (found != job.generations.end()) job.generations.erase(found);
}

// ---- adopt and restore ----

[[nodiscard]] static Status has_ended(std::uint32_t job_id, const Result<UserJobs>& unfinished) {
    if (!unfinished) return tl::unexpected(unfinished.error());
    const auto holds = [job_id](const wire::JobRange& range) {
        return range.first <= job_id && job_id <= range.last;
    };
    if (std::ranges::none_of(unfinished->ids, holds)) return {};
    const std::string number = std::to_string(job_id);
    return fail(Code::restore_impossible,
                "job " + number + " has not ended, and two cannot go on from where it was",
                "scancel " + number + " first, then scontrol release this one");
}

Status Server::start_adopt(Job& job, const effect::Adopt& e) {
    if (!m_local) return fail(Code::restore_impossible, "the local directory for images is not usable");
    CKPT_TRY(const Fd images, m_local->make(job.local_name, LocalTier::restore_name(e.task)));
    wire::AdoptRequest request;
    request.place = job.place;
    request.step_id = e.task.step_id;
    request.task_id = e.task.task_id;
    request.before_incarnation = e.before_incarnation;
    request.before_generation = e.before_generation;
    // Not what failed here before.
    if (const auto copy = m_copies.find(job.facts.job_id, job.place.uuid, e.task);
        copy && e.before_generation == 0) {
        request.here_incarnation = copy->incarnation;
        request.here_generation = copy->generation;
    }
    if (job.state.plan.restore.value.kind == Restore::Kind::job) {
        request.other_job = job.state.plan.restore.value.job_id;
        request.other_generation = job.state.plan.restore.value.generation;
    }
    const std::array fds = {images.get()};
    job.tasks.at(e.task).worker =
        start_sealer(store_of(job, false), wire::encode(request), fds, k_store_limit,
                     [this, job_id = job.facts.job_id, serial = job.serial, key = e.task](
                         Result<Packet> packet) { adopted(job_id, serial, key, std::move(packet)); });
    return {};
}

void Server::adopt_or_fail(Job& job, const effect::Adopt& e, const Status& may) {
    const Status started = may ? start_adopt(job, e) : may;
    if (started) return;
    event::AdoptEnded ended;
    ended.task = e.task;
    ended.error = started.error();
    m_loop.after(std::chrono::milliseconds(0),
                 [this, job_id = job.facts.job_id, ended] { handle(job_id, ended); });
}

// Going on from a job that still runs would cut and put back files under it.
void Server::perform(Job& job, const effect::Adopt& e) {
    const Restore& restore = job.state.plan.restore.value;
    if (restore.kind != Restore::Kind::job || job.place.incarnation > 0) return adopt_or_fail(job, e, {});
    ask_user_jobs(m_workers, job.facts.uid,
                  [this, job_id = job.facts.job_id, serial = job.serial, e,
                   other = restore.job_id](const Result<UserJobs>& jobs) {
                      Job* still = find_job(job_id, serial);
                      if (still != nullptr) adopt_or_fail(*still, e, has_ended(other, jobs));
                  });
}

void Server::adopted(std::uint32_t job_id, std::uint64_t serial, const TaskKey& task, Result<Packet> packet) {
    Job* job = find_job(job_id, serial);
    if (job == nullptr) return;
    event::AdoptEnded ended;
    ended.task = task;
    auto result = result_of<wire::AdoptResult>(packet);
    if (!result) {
        log::warning("job " + std::to_string(job_id) +
                     ": the store gives no answer: " + one_line(result.error()));
        ended.error = result.error();
        return handle(job_id, ended);
    }
    if (result->is_here && !use_copy(*job, task)) // from the store then
        return perform(*job, effect::Adopt{task, 0, 0});
    using Found = event::AdoptEnded::Found;
    // an older generation was asked for because a newer one did not restore: "nothing" means that none is
    // left
    const bool retry = job->adopted.contains(task);
    switch (result->found) {
    case wire::Found::nothing:
        ended.found = retry ? Found::unusable : Found::nothing;
        break;
    case wire::Found::generation:
        ended.found = Found::generation;
        break;
    case wire::Found::completed:
        ended.found = Found::completed;
        break;
    case wire::Found::unusable:
        ended.found = Found::unusable;
        break;
    }
    ended.generation = result->generation;
    ended.last_end = last_end_of(*result);
    if (const auto memory = memory_cgroup_dir(job->tasks.at(task).shim_pid))
        ended.memory_limit = memory_cgroup(*memory).limit;
    ended.newest_generation = result->newest_generation;
    ended.adopted_before = result->adopted_before;
    if (result->end_again) ended.end_again = result->wait_status;
    ended.skipped = std::move(result->skipped);
    job->adopted[task] = {result->incarnation, result->generation,       result->of_job,
                          result->taken_at,    result->tree_was_stopped, result->is_here};
    handle(job_id, ended);
}

Status Server::start_restore(Job& job, const effect::Restore& e) {
    Task& task = job.tasks.at(e.task);
    CKPT_TRY(const Fd images, m_local->open(job.local_name, LocalTier::restore_name(e.task)));
    CKPT_TRY(const Fd tails, m_local->tails(job.local_name));
    CKPT_TRY(auto cgroups, cgroup_dirs(task.shim_pid));
    if (!pidfd_alive(task.shim_pidfd.get())) return fail(Code::not_found, "the task has ended");
    wire::RestoreRequest request;
    request.criu = m_policy.engine.criu;
    request.user = task.user;
    request.cgroup_dirs = std::move(cgroups);
    request.timeout_ms = milliseconds(m_policy.engine.restore_timeout);
    request.script = task.script;
    request.status_pipe = task.status_pipe;
    request.tree_was_stopped = job.adopted.at(e.task).tree_was_stopped && !task.was_restoring;
    request.files = files_of(job);
    request.ignore_changed = m_policy.failure.changed_file == ChangedFile::ignore;
    request.tail_limit = m_policy.engine.tail_limit;
    request.task_name = task_name(job, e.task);
    const std::array fds = {images.get(), tails.get(), task.mount_namespace.get(), task.shim_pidfd.get()};
    task.worker = m_workers.start(
        "ckpt-engine", wire::encode(request), fds, m_policy.engine.restore_timeout + wire::k_engine_margin,
        [this, job_id = job.facts.job_id, serial = job.serial, key = e.task](Result<Packet> packet) {
            restored(job_id, serial, key, std::move(packet));
        },
        WorkerRuns{task.shim_pid, {}, false});
    task.restores = true;
    return {};
}

void Server::perform(Job& job, const effect::Restore& e) {
    const Status started = start_restore(job, e);
    if (!started) restored(job.facts.job_id, job.serial, e.task, tl::unexpected(started.error()));
}

void Server::restored(std::uint32_t job_id, std::uint64_t serial, const TaskKey& key, Result<Packet> packet) {
    Job* job = find_job(job_id, serial);
    if (job == nullptr) return;
    Task& task = job->tasks.at(key);
    if (packet || !task.restores) {
        task.restores = false;
        return restore_ended(*job, key, std::move(packet));
    }
    // It has given no answer, and so has taken nothing back.
    undo_restore(*job, key, [this, job_id, serial, key, error = packet.error()](const Status& undone) {
        Job* still = find_job(job_id, serial);
        if (still == nullptr) return;
        Error all{Code::restore_failed, "the restore ended without an answer: " + error.what, "", 0};
        if (!undone) all.what += "; and what it has left is not taken back: " + undone.error().what;
        restore_ended(*still, key, tl::unexpected(all));
    });
}

void Server::restore_ended(Job& job, const TaskKey& key, Result<Packet> packet) {
    Task& task = job.tasks.at(key);
    const std::uint32_t job_id = job.facts.job_id;
    const AdoptedGeneration& from = job.adopted.at(key);
    event::RestoreEnded ended{key,
                              std::nullopt,
                              from.incarnation,
                              from.generation,
                              text::age(now() - from.taken_at),
                              job.facts.node,
                              {},
                              from.of_job,
                              from.from_copy};
    const auto result = result_of<wire::RestoreResult>(packet);
    if (!result) {
        ended.error = result.error();
    } else if (packet->fds.size() != 3) {
        ended.error = Error{Code::internal, "the engine returned no descriptors", "", 0};
    } else {
        task.root_pidfd = std::move(packet->fds[0]);
        task.mount_namespace = std::move(packet->fds[1]);
        task.pid_namespace = std::move(packet->fds[2]);
        task.root_pid = result->root_pid;
        task.root_pid_inside = result->root_pid_inside;
        task.init_pid = result->init_pid;
        know_restored(task);
        ended.complaints = result->complaints;
        std::ranges::copy(result->notes, std::back_inserter(ended.complaints));
        watch_memory(task);
        for (const std::string& file : result->rolled_back)
            log::info("job " + std::to_string(job_id) + ": rolled back " + file);
    }
    m_local->remove(job.local_name, LocalTier::restore_name(key));
    m_loop.after(std::chrono::milliseconds(0), [this, job_id, ended] { handle(job_id, ended); });
}

} // namespace ckpt
