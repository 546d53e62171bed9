// SPDX-License-Identifier: GPL-2.0-or-later
// What checkpoint.so says from slurmstepd, as root: a job opens, tasks come and go, the epilog waits.
#include <algorithm>
#include <ctime>

#include "log.hpp"
#include "os/process.hpp"
#include "os/procfs.hpp"
#include "os/random.hpp"
#include "policy/scopes.hpp"
#include "server.hpp"

namespace ckpt {

namespace {

constexpr std::int64_t k_day_s = 24L * 3600;

Result<Plan> plan_of(const wire::JobOpen& m, const Policy& policy) {
    Request request;
    for (const wire::OptionText& option : m.options)
        CKPT_CHECK(request.set(option.name, option.value));
    JobFacts facts;
    facts.job_id = m.job_id;
    facts.uid = m.uid;
    facts.gid = m.gid;
    facts.user = m.user;
    facts.nodes = m.nodes;
    return resolve(request, facts, policy);
}

ScopeFacts scope_facts(const wire::JobOpen& m) {
    return {m.user, m.account, m.qos, m.partition, m.constraint};
}

// StepFacts::interval. The job's options reach its steps too.
std::uint32_t interval_of_step(const Job& job, const std::vector<wire::OptionText>& options,
                               const Policy& policy) {
    if (options.empty()) return 0;
    wire::JobOpen open = job.facts;
    open.options.insert(open.options.end(), options.begin(), options.end());
    const auto plan = plan_of(open, policy);
    const auto* fixed = plan ? std::get_if<Seconds>(&plan->interval.value) : nullptr;
    return fixed != nullptr ? static_cast<std::uint32_t>(fixed->count()) : 0;
}

// A program that saves itself needs neither CRIU's images nor the store, but it needs the policy.
bool is_of_no_matter_to_app(const Error& broken) {
    return broken.code != Code::policy_syntax && broken.code != Code::policy_value &&
           broken.code != Code::policy_unreadable;
}

// Its batch script runs on this node.
bool has_script(const Job& job) {
    return std::ranges::any_of(job.tasks, [](const auto& task) { return task.second.stand_in == 0; });
}

} // namespace

std::string local_name_of(const wire::JobOpen& open) {
    return std::to_string(open.job_id) + "-" + (is_uuid(open.uuid) ? open.uuid.substr(0, 8) : "none") +
           "-inc" + std::to_string(open.restart_count);
}

void Server::reply(ConnectionId id, const Status& status) {
    wire::Reply answer;
    if (!status) {
        answer.code = static_cast<std::uint32_t>(status.error().code);
        answer.text = one_line(status.error());
    }
    answer.wait_limit = static_cast<std::uint32_t>(m_policy.failure.epilog_wait.count());
    send(id, answer);
}

Job Server::make_job(const wire::JobOpen& m) {
    Job job;
    job.serial = m_next_serial++;
    job.facts = m;
    // --time=UNLIMITED is a year for slurmctld (job_mgr.c:job_end_time_reset).
    if (m.end_time - std::time(nullptr) > k_year.count() - k_day_s) job.facts.end_time = 0;
    use_policy(job);
    m_node_name = m.node;
    job.state.joins_nodes = m_policy.network.port != 0;
    job.opened_at = std::time(nullptr);
    job.state.job_id = m.job_id;
    job.state.restart_count = m.restart_count;
    auto plan = plan_of(m, job.policy);
    const bool is_app = plan && plan->method.value.kind == Method::Kind::app;
    job.state.constrains = !m_policy.compat.features.empty() && !is_app;
    if (m_broken && !(is_app && is_of_no_matter_to_app(*m_broken))) job.state.unmanaged = m_broken;
    job.state.never_saved = !is_uuid(m.uuid);
    if (job.state.never_saved)
        job.state.unmanaged = Error{
            Code::restore_impossible, "the job carries no identity of its checkpoints",
            "jobs of sbatch and salloc have one, where the plugin is installed; those of srun alone do not",
            0};
    if (plan)
        job.state.plan = std::move(*plan);
    else if (!job.state.unmanaged)
        job.state.unmanaged = plan.error();
    if (!m.unsupported.empty() && !job.state.unmanaged)
        job.state.unmanaged = Error{Code::unsupported_setting, m.unsupported, "", 0};
    if (plan && !job.state.plan.enabled.value && !job.state.unmanaged)
        job.state.unmanaged =
            Error{Code::option_conflict, "checkpoints are switched off for this job", "", 0};
    job.place = {job.state.plan.base.value, m.cluster, m.uuid, m.job_id, m.uid, m.restart_count};
    job.user = {m.uid, wire::WriterRequest::k_unknown, {}};
    job.local_name = local_name_of(m);
    job.step_dir = StepDirs::name_of(m.uid, m.job_id);
    return job;
}

// Slurm before 25.05 does not say it in the prolog. What depends on it comes a moment later.
void Server::ask_for_qos(const Job& job) {
    ask_qos(m_workers, job.facts.job_id,
            [this, job_id = job.facts.job_id, serial = job.serial](const std::string& qos) {
                Job* still = find_job(job_id, serial);
                if (still == nullptr || qos.empty()) return;
                still->facts.qos = qos;
                use_policy(*still);
                plan_anew(*still);
                keep_on_file(*still);
                perform(*still, effect::ArmInterval{});
            });
}

void Server::use_policy(Job& job) const {
    job.policy = policy_for(m_policy, scope_facts(job.facts));
    job.state.no_progress_limit = job.policy.failure.no_progress;
    job.state.may_leave = job.policy.failure.restore_impossible == RestoreFailure::requeue_elsewhere;
}

// What was decided at the job's start stays, but for what a scope says that was not known to fit.
void Server::plan_anew(Job& job) {
    if (job.state.unmanaged) return;
    auto plan = plan_of(job.facts, job.policy);
    if (plan && plan->enabled.value == job.state.plan.enabled.value) {
        plan->base = job.state.plan.base; // where its generations are
        job.state.plan = std::move(*plan);
    }
}

void Server::on_message(ConnectionId id, const wire::JobOpen& m) {
    if (m_connections.at(id).peer.uid != 0) return drop_connection(id);
    if (m_jobs.contains(m.job_id)) forget_job(m.job_id); // an incarnation whose epilog never reached us
    Job job = make_job(m);
    log::info("job " + std::to_string(m.job_id) + " of uid " + std::to_string(m.uid) +
              " opens, incarnation " + std::to_string(m.restart_count) +
              (job.state.unmanaged ? ", unmanaged: " + one_line(*job.state.unmanaged) : std::string()));
    remember_user(job);
    if (m.qos.empty() && needs_qos(m_policy)) ask_for_qos(job);
    keep_on_file(m_jobs.emplace(m.job_id, std::move(job)).first->second);
    reply(id, {});
}

// Each is dumped by processes of its own, all at the same time. What is more than that, or is there twice,
// has no place in a whole.
bool Server::may_join(const Job& job, const wire::StepTaskRegister& m) {
    const auto is_same = [&](const auto& one) {
        return one.second.stand_in == m.stand_in && one.first.task_id == m.task_id;
    };
    const bool twice =
        std::ranges::any_of(job.state.tasks, is_same) || std::ranges::any_of(job.tasks, is_same);
    return !twice && job.tasks.size() < wire::k_tasks_max && job.state.tasks.size() < wire::k_job_tasks_max;
}

// Its shim gets a plain answer (shim_messages.cpp), with `line` to print.
Status Server::run_without_us(Job& job, const Peer& peer, const wire::StepTaskRegister& m,
                              const std::string& line, bool starts) {
    constexpr std::size_t k_known_max = 4096;
    CKPT_TRY(const KnownProcess task, know_process(m.pid));
    CKPT_TRY(const ProcessInfo info, process_info(m.pid));
    if (info.ppid != peer.pid) return fail(Code::not_permitted, "a task that is not the sender's child");
    if (job.without_us.size() >= k_known_max) job.without_us.clear(); // of steps long over
    job.without_us.push_back({task, line, starts});
    return {};
}

Status Server::register_task(const Peer& peer, const wire::StepTaskRegister& m) {
    Job* job = find_job(m.job_id);
    if (job == nullptr)
        return fail(Code::not_found, "job " + std::to_string(m.job_id) + " was not opened here");
    if (m.uid != job->facts.uid) return fail(Code::not_permitted, "a task of another user");
    if (m.stand_in != 0 && !may_join(*job, m)) {
        CKPT_CHECK(run_without_us(*job, peer, m, {}, true));
        handle(m.job_id, event::StepUnfit{m.stand_in}); // the job's output says so when a checkpoint is due
        return {};
    }
    Task task;
    CKPT_TRY(task.shim_pidfd, open_pidfd(m.pid));
    CKPT_TRY(const ProcessInfo info, process_info(m.pid));
    if (info.ppid != peer.pid) return fail(Code::not_permitted, "a task that is not the sender's child");
    // Pinned while the task still waits in slurmstepd's code (task_post_fork precedes its exec).
    CKPT_TRY(task.mount_namespace, open_namespace(m.pid, "mnt"));
    CKPT_TRY(task.pid_namespace, open_namespace(m.pid, "pid"));
    if (!pidfd_alive(task.shim_pidfd.get())) return fail(Code::not_found, "the task has ended");
    CKPT_TRY(task.mount_namespace_id, namespace_id(task.mount_namespace.get()));
    CKPT_TRY(task.pid_namespace_id, namespace_id(task.pid_namespace.get()));
    task.registered = {m.job_id, m.step_id, m.task_id, m.pid, m.uid, m.gid, m.groups, m.stand_in == 0};
    task.stand_in = m.stand_in;
    task.step = {m.step_tasks, m.step_nodes, interval_of_step(*job, m.options, job->policy)};
    task.shim_pid = m.pid;
    task.shim_start_time = info.start_time;
    task.user = {m.uid, m.gid, m.groups};
    job->user = task.user;
    const TaskKey key{m.step_id, m.task_id};
    if (m.stand_in != 0)
        if (const auto stepd = know_process(peer.pid)) job->stepds[m.stand_in] = *stepd;
    // A task comes once in an incarnation. This one is of a later incarnation whose opening never reached us:
    // treated as one of the earlier it would start from the beginning.
    if (!job->tasks.try_emplace(key, std::move(task)).second)
        return fail(Code::not_found,
                    "this incarnation of job " + std::to_string(m.job_id) + " was not opened here");
    if (m_step_dirs && m.stand_in == 0)
        if (const Status made = m_step_dirs->make(job->step_dir, {{m.uid, m.gid, {}}}); !made)
            log::warning("job " + std::to_string(m.job_id) + ": " + one_line(made.error()));
    empty_step_dirs();
    if (!has_script(*job)) take_part(*job);
    handle(m.job_id, event::TaskRegistered{key, m.stand_in, job->tasks.at(key).step});
    return {};
}

void Server::on_message(ConnectionId id, const wire::TaskRegister& m) {
    answer_registration(id, {m.job_id, m.step_id, m.task_id, m.pid, m.uid, m.gid, m.groups, 0, 1, 1, {}});
}

void Server::on_message(ConnectionId id, const wire::StepTaskRegister& m) {
    if (m.stand_in == 0) return reply(id, fail(Code::wire_malformed, "a step without its stand-in"));
    answer_registration(id, m);
}

void Server::answer_registration(ConnectionId id, const wire::StepTaskRegister& m) {
    const Connection& connection = m_connections.at(id);
    if (connection.peer.uid != 0) return drop_connection(id);
    const Status status = register_task(connection.peer, m);
    if (!status) log::warning("task of job " + std::to_string(m.job_id) + ": " + one_line(status.error()));
    reply(id, status);
}

void Server::on_message(ConnectionId id, const wire::TaskExit& m) {
    if (m_connections.at(id).peer.uid != 0) return drop_connection(id);
    reply(id, {});
    const TaskKey key{m.step_id, m.task_id};
    handle(m.job_id, event::TaskGone{key, memory_facts(m.job_id, key), m.wait_status});
}

void Server::on_message(ConnectionId id, const wire::JobEpilog& m) {
    if (m_connections.at(id).peer.uid != 0) return drop_connection(id);
    Job* job = find_job(m.job_id);
    if (job == nullptr) return reply(id, {});
    job->epilog = id;
    job->epilog_timer = m_loop.after(m_policy.failure.epilog_wait, [this, job_id = m.job_id] {
        log::warning("job " + std::to_string(job_id) +
                     ": its epilog does not wait for the commit any longer");
        handle(job_id, event::EpilogLimitReached{});
    });
    handle(m.job_id, event::EpilogArrived{});
}

} // namespace ckpt
