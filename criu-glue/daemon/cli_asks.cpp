// SPDX-License-Identifier: GPL-2.0-or-later
// What somebody asks of a job that runs here: a generation, after which it runs on, is requeued or gives its
// nodes up, or that there be none for a while. A process of the job itself asks too: it is dumped while it
// waits for the answer (wire/asked.hpp).
#include <algorithm>
#include <utility>
#include <vector>

#include "cli_answers.hpp"
#include "log.hpp"
#include "os/cgroup.hpp"
#include "server.hpp"
#include "slurmctld.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_told_max = 1024; // of one job: each is a name in the memory of the node
// Whoever asks has closed its connection long before. One that is kept open makes the dump fail, and keeps
// nobody waiting.
constexpr std::chrono::seconds k_connected_max{10};

constexpr std::size_t k_leavers_max = 256; // of one job, who wait for the same answer
// Whether the caller, in the cgroup `where`, is a process of the job's own trees, which stands still while
// they are dumped: what else is in their cgroups makes a dump fail (engine/survey.cpp), but the shims. Tasks
// of a step may share a cgroup.
bool asks_from_inside(const Job& job, const std::string& where, pid_t caller) {
    const auto is_in_its_cgroup = [&](const auto& one) { return one.second.cgroup == where; };
    const auto is_its_shim = [&](const auto& one) {
        return is_in_its_cgroup(one) && one.second.shim_pid == caller; // others are of other nodes
    };
    return !where.empty() && std::ranges::any_of(job.tasks, is_in_its_cgroup) &&
           std::ranges::none_of(job.tasks, is_its_shim);
}

Reason reason_of(wire::Ask ask) {
    return ask == wire::Ask::requeue  ? Reason::requeue
           : ask == wire::Ask::vacate ? Reason::vacate
                                      : Reason::on_demand;
}

} // namespace

// Somebody waits for one, here or on another node.
bool Server::is_create_under_way(const Job& job) {
    return job.on_demand || job.commanded != 0 || !job.others.asker.empty() || job.inside.is_begun;
}

Error Server::create_under_way() {
    return {Code::busy, "a checkpoint of this job is under way", "try again in a moment", 0};
}

void Server::on_message(ConnectionId id, const wire::CreateRequest& m) {
    const Connection& connection = m_connections.at(id);
    Job* job = connection.is_shim ? find_job(connection.job_id) : nullptr;
    if (job != nullptr && is_same_signal(*job, task_name(*job, connection.task)))
        return send(id, wire::Answer{});
    on_message(id, wire::AskFor{m.job_id, wire::Ask::create, 0});
}

void Server::on_message(ConnectionId id, const wire::AskFor& m) {
    if (m.ask > wire::Ask::enable) return drop_connection(id);
    Job* job = job_of_caller(id, m.job_id);
    if (job == nullptr) return;
    wire::AskFor known = m;
    known.job_id = job->facts.job_id;
    const auto tell = [this, id](const wire::Answer& answer) {
        if (m_connections.contains(id)) send(id, answer);
    };
    ask_of(*job, known, tell, [this, id, known](Job& asked) { begin_for(id, asked, known); });
}

// Read once for each who asks: anybody may ask, again and again, over a thousand connections.
bool Server::is_from_inside(const Job& job, Connection& connection) {
    if (!connection.cgroup) connection.cgroup = cgroup_dir(connection.peer.pid).value_or("");
    return asks_from_inside(job, *connection.cgroup, connection.peer.pid);
}

// That the caller is a process of; nullptr when of none. Its environment names another one when that one goes
// on in this one.
Job* Server::job_around(ConnectionId id) {
    Connection& connection = m_connections.at(id);
    const auto found = std::ranges::find_if(m_jobs, [&](const auto& one) {
        return one.second.facts.uid == connection.peer.uid && is_from_inside(one.second, connection);
    });
    return found == m_jobs.end() ? nullptr : &found->second;
}

std::optional<Error> Server::why_not(const Job& job, wire::Ask ask) {
    const std::uint32_t job_id = job.facts.job_id;
    if (job.state.unmanaged) return job.state.unmanaged;
    if (job.state.orphaned) return out_of_reach(job_id);
    const bool switches = ask == wire::Ask::disable || ask == wire::Ask::enable;
    if (switches && job.coordinator)
        return Error{Code::not_found, "the job's script runs on another node, which decides about it",
                     "run sckpt there", 0};
    if ((ask == wire::Ask::requeue || ask == wire::Ask::vacate) && job.state.in_allocation)
        return Error{Code::option_conflict, "an allocation of salloc belongs to the shell that made it",
                     "`sckpt create` saves what runs in it, `scancel` ends it", 0};
    return std::nullopt;
}

namespace {

std::optional<Error> why_not_leave(const JobNews& news, std::uint32_t job_id, wire::Ask ask) {
    if (!news.answered)
        return Error{Code::slurm_rpc, "slurmctld does not answer", "try again in a moment", 0};
    if (ask == wire::Ask::requeue && news.cause == Cause::running && !news.can_requeue)
        return Error{Code::job_not_requeueable, "job " + std::to_string(job_id) + " may not be requeued",
                     "it was submitted with --no-requeue; `sckpt vacate` ends it for good", 0};
    if (news.cause != Cause::running && !news.suspended)
        return Error{Code::busy, "job " + std::to_string(job_id) + " is about to end", "", 0};
    return std::nullopt;
}

} // namespace

// Each question is a process of root's, and one of slurmctld's requests: however many ask, there is one.
void Server::may_leave(Job& job, wire::Ask ask, const std::function<void(std::optional<Error>)>& then) {
    if (job.leavers) {
        if (job.leavers->size() >= k_leavers_max) return then(create_under_way());
        return job.leavers->push_back({ask, then});
    }
    job.leavers = std::make_shared<std::vector<Job::Leaver>>(1, Job::Leaver{ask, then});
    ask_news(
        m_workers, job.facts.job_id,
        [this, job_id = job.facts.job_id, serial = job.serial, leavers = job.leavers](const JobNews& news) {
            if (Job* still = find_job(job_id, serial)) still->leavers.reset();
            for (const Job::Leaver& leaver : *leavers)
                leaver.then(why_not_leave(news, job_id, leaver.ask));
        });
}

// `begin`: when nothing stands against it.
void Server::ask_of(Job& job, const wire::AskFor& m, const Told& tell,
                    const std::function<void(Job&)>& begin) {
    if (const auto error = why_not(job, m.ask)) return tell(answer_of(*error));
    if (m.ask == wire::Ask::disable || m.ask == wire::Ask::enable) {
        handle(m.job_id, event::Switched{m.ask == wire::Ask::enable});
        return tell({0, 0, std::to_string(m.job_id)});
    }
    if (m.ask == wire::Ask::create) return begin(job);
    may_leave(job, m.ask, [this, serial = job.serial, m, tell, begin](const std::optional<Error>& error) {
        Job* asked = find_job(m.job_id, serial);
        if (error || asked == nullptr) return tell(answer_of(error.value_or(out_of_reach(m.job_id))));
        begin(*asked);
    });
}

void Server::begin_for(ConnectionId id, Job& job, const wire::AskFor& m) {
    const auto connection = m_connections.find(id);
    if (connection == m_connections.end()) return;
    if (is_from_inside(job, connection->second)) {
        connection->second.when_closed = m;
        return send(id, wire::Answer{0, 0, std::to_string(m.job_id)});
    }
    if (is_suspended(job)) return send(id, answer_of(suspended_error(m.job_id)));
    if (is_create_under_way(job)) return send(id, answer_of(create_under_way()));
    job.on_demand = id;
    want_awaited(job, m.ask, connection->second.is_shim);
}

void Server::want_awaited(Job& job, wire::Ask ask, bool by_signal) {
    want_dump({job.facts.job_id, true, true, reason_of(ask), by_signal});
}

// Another task has got it that another has asked for already, and not that one again. `by`: the task, or the
// node that asks for its tasks.
bool Server::is_same_signal(Job& job, const std::string& by) {
    constexpr std::chrono::seconds k_apart{5};
    const auto now = std::chrono::steady_clock::now();
    Job::Signalled& heard = job.signalled;
    if (now < heard.until && heard.by.insert(by).second) return true;
    heard = {{by}, now + k_apart};
    return false;
}

// ---- from inside ----

void Server::asked_from_inside(const wire::AskFor& m) {
    Job* job = find_job(m.job_id);
    if (job == nullptr) return;
    Job::AskedInside& inside = job->inside;
    if (inside.waiting.size() >= k_told_max) return;
    const bool is_told = m.token != 0 && m_asked.has_value();
    if (is_told) {
        if (inside.told.size() >= k_told_max) { // the oldest has been answered long ago
            m_asked->remove(wire::asked_name(m.job_id, inside.told.front()));
            inside.told.erase(inside.told.begin());
        }
        if (const Status told = m_asked->publish(wire::asked_name(m.job_id, m.token), wire::k_waits); !told)
            log::warning("job " + std::to_string(m.job_id) + ": " + one_line(told.error()));
        inside.told.push_back(m.token);
    }
    if (inside.waiting.empty() || is_last(reason_of(m.ask))) inside.reason = reason_of(m.ask);
    inside.waiting.push_back(is_told ? m.token : 0);
    m_loop.after(k_connected_max, [this, job_id = m.job_id, serial = job->serial] {
        if (Job* still = find_job(job_id, serial)) begin_what_was_asked_inside(*still);
    });
}

// Others of its processes may be about to ask too: who is connected cannot be dumped.
bool Server::has_connection_from_inside(const Job& job) {
    const auto recent = std::chrono::steady_clock::now() - k_connected_max;
    return std::ranges::any_of(m_connections, [&](auto& one) {
        Connection& connection = one.second;
        return !connection.is_shim && connection.since > recent && connection.peer.uid == job.facts.uid &&
               is_from_inside(job, connection);
    });
}

void Server::begin_what_was_asked_inside(Job& job) {
    Job::AskedInside& inside = job.inside;
    if (inside.waiting.empty() || is_create_under_way(job) || has_connection_from_inside(job)) return;
    inside.begun = std::exchange(inside.waiting, {});
    inside.is_begun = true;
    // Later, since whoever calls us may hold a job.
    m_loop.after(std::chrono::milliseconds(0), [this, job_id = job.facts.job_id, serial = job.serial] {
        if (const Job* still = find_job(job_id, serial); still != nullptr && still->inside.is_begun)
            want_dump({job_id, true, true, still->inside.reason});
    });
}

void Server::answer_inside(Job& job, const effect::AnswerOnDemand& e) {
    const std::uint32_t job_id = job.facts.job_id;
    const std::uint32_t code = e.error ? static_cast<std::uint32_t>(e.error->code) : 0;
    const std::string word = std::to_string(e.generation) + " " + std::to_string(code);
    const auto is_there = [&](std::uint64_t token) {
        return std::ranges::find(job.inside.told, token) != job.inside.told.end();
    };
    for (const std::uint64_t token : std::exchange(job.inside.begun, {}))
        if (m_asked && is_there(token)) (void)m_asked->publish(wire::asked_name(job_id, token), word);
}

void Server::tell_restored(const Job& job) {
    if (!m_asked || job.adopted.empty()) return;
    const AdoptedGeneration& from = job.adopted.begin()->second;
    const std::string word = std::to_string(from.generation) + " " + std::to_string(job.opened_at);
    (void)m_asked->publish(wire::restored_name(job.facts.job_id), word);
    if (from.of_job != 0) (void)m_asked->publish(wire::restored_name(from.of_job), word);
}

void Server::forget_asked(const Job& job) {
    if (!m_asked) return;
    for (const std::uint64_t token : job.inside.told)
        m_asked->remove(wire::asked_name(job.facts.job_id, token));
    m_asked->remove(wire::restored_name(job.facts.job_id));
    if (!job.adopted.empty()) m_asked->remove(wire::restored_name(job.adopted.begin()->second.of_job));
}

} // namespace ckpt
