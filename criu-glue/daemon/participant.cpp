// SPDX-License-Identifier: GPL-2.0-or-later
// A job whose batch script runs on another node. What happens to its tasks here is told to the ckptd there,
// the coordinator, and what that one decides is done here. Without it nothing of the job is checkpointed; its
// tasks run on.
#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include "effects_common.hpp"
#include "link/greeting.hpp"
#include "log.hpp"
#include "os/process.hpp"
#include "os/tree.hpp"
#include "server.hpp"
#include "slurmctld.hpp"
#include "wire/link_messages.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::milliseconds k_connect_limit{8'000};
constexpr std::chrono::milliseconds k_first_pause{250};
constexpr std::chrono::milliseconds k_longest_pause{10'000};
// A job's first incarnation starts from the beginning without a coordinator after that many tries, within
// some ten seconds; a later one must not, and is held.
constexpr unsigned k_tries_fresh = 6;
constexpr unsigned k_tries_restored = 30;
constexpr std::size_t k_missed_max = 4096;

std::chrono::milliseconds pause_after(unsigned tries) {
    return std::min(k_first_pause * (1U << std::min(tries, 6U)), k_longest_pause);
}

constexpr std::chrono::seconds k_hold_again{30}; // slurmctld did not answer or refused
const std::string k_does_not_start = "a step of the job does not start: ";

Error switched_off() {
    return {Code::dump_refused, "steps on several nodes are not checkpointed here",
            "the site has switched it off (network.port in its policy)", 0};
}

Error not_reached() {
    return {Code::dump_refused, "the ckptd of the node that runs the job's script is not reached", "", 0};
}

// Its shim has asked, and has no answer but to wait.
bool waits_for_start(const Task& task) {
    return task.shim != 0 && task.root_pid == 0 && !task.told && !task.alone;
}

bool has_tree(const Task& task) {
    return task.root_pid != 0 && task.root_pidfd && pidfd_alive(task.root_pidfd.get());
}

} // namespace

void Server::take_part(Job& job) {
    if (!job.coordinator) job.coordinator.emplace();
    Coordinator& coordinator = *job.coordinator;
    coordinator.given_up = m_policy.network.port == 0;
    if (coordinator.given_up || coordinator.link != 0 || std::exchange(coordinator.is_sought, true)) return;
    coordinator.tries = 0;
    look_for_coordinator(job);
}

void Server::look_for_coordinator(Job& job) {
    if (job.coordinator->host) return connect_to(job, *job.coordinator->host);
    ask_batch_host(m_workers, job.facts.job_id,
                   [this, job_id = job.facts.job_id, serial = job.serial](const Result<BatchHost>& host) {
                       Job* still = find_job(job_id, serial);
                       if (still == nullptr) return;
                       if (!host) return coordinator_not_found(*still, host.error());
                       still->coordinator->host = *host;
                       connect_to(*still, *host);
                   });
}

void Server::connect_to(Job& job, const BatchHost& host) {
    job.coordinator->node = host.node;
    const wire::ConnectRequest request{
        host.address,
        m_policy.network.port,
        {job.facts.job_id, job.facts.restart_count, job.facts.uuid, job.facts.node},
        static_cast<std::uint32_t>(k_connect_limit.count())};
    job.coordinator->worker = m_workers.start(
        "ckpt-handshake", wire::encode(request), {}, k_connect_limit + wire::k_handshake_margin,
        [this, job_id = job.facts.job_id, serial = job.serial](Result<Packet> packet) {
            auto greeting = take_greeting(packet);
            Job* still = find_job(job_id, serial);
            if (still == nullptr) return;
            if (!greeting) return coordinator_not_found(*still, greeting.error());
            if (packet->fds.size() != 1 || greeting->hello.node != still->coordinator->node) {
                still->coordinator->host.reset();
                return coordinator_not_found(
                    *still,
                    Error{Code::not_permitted, "another node answers than the job's batch host", "", 0});
            }
            coordinator_found(*still, std::move(packet->fds[0]), std::move(greeting->keys));
        });
}

void Server::coordinator_found(Job& job, Fd socket, LinkKeys keys) {
    auto link = open_link(std::move(socket), std::move(keys));
    if (!link) return coordinator_not_found(job, link.error());
    Coordinator& coordinator = *job.coordinator;
    coordinator.link = add_link(job, coordinator.node, std::move(*link));
    log::info("job " + std::to_string(job.facts.job_id) + ": node " + coordinator.node + " coordinates");
    coordinator.is_sought = false;
    for (auto& [key, task] : job.tasks)
        introduce(job, key, task);
    for (const NodeEvent& event : std::exchange(coordinator.missed, {}))
        send_to_node(coordinator.link, wire::encode(node::Happened{event}));
    for (const node::Sealed& sealed : std::exchange(coordinator.sealed, {}))
        send_to_node(coordinator.link, wire::encode(sealed));
}

void Server::introduce(Job& job, const TaskKey& key, Task& task) {
    if (task.alone) return tell_coordinator(job, event::StepUnfit{task.stand_in});
    tell_coordinator(job, event::TaskRegistered{key, task.stand_in, task.step, has_tree(task) || task.told});
    const bool gated = task.state >= 0;
    if (task.shim == 0 || (task.told && !has_tree(task))) return; // it starts, or its end is told
    if (!has_tree(task)) return tell_coordinator(job, event::ShimArrived{key, gated});
    tell_coordinator(job, event::ShimReturned{key, std::exchange(task.term_delivered, false), gated});
}

// It must not start from the beginning: there may be a checkpoint that it is part of.
bool Server::may_be_restored(const Job& job) {
    return job.facts.restart_count > 0 || job.state.plan.restore.value.kind == Restore::Kind::job;
}

void Server::coordinator_not_found(Job& job, const Error& error) {
    Coordinator& coordinator = *job.coordinator;
    if (coordinator.tries == 0)
        log::warning("job " + std::to_string(job.facts.job_id) +
                     ": its coordinator is not reached: " + one_line(error));
    try_failed(job, error);
}

void Server::try_failed(Job& job, const Error& error) {
    Coordinator& coordinator = *job.coordinator;
    const bool later = may_be_restored(job);
    if (++coordinator.tries >= (later ? k_tries_restored : k_tries_fresh) &&
        !std::exchange(coordinator.given_up, true)) {
        if (!later)
            start_alone(job, error);
        else if (std::ranges::any_of(job.tasks, [](const auto& one) { return waits_for_start(one.second); }))
            perform(job, effect::HoldJob{k_does_not_start + one_line(error)});
    }
    coordinator.is_sought = true;
    m_loop.after(pause_after(coordinator.tries), [this, job_id = job.facts.job_id, serial = job.serial] {
        Job* still = find_job(job_id, serial);
        if (still == nullptr) return;
        if (still->tasks.empty() && still->coordinator->sealed.empty() && still->coordinator->sealing.empty())
            still->coordinator->is_sought = false;
        else
            look_for_coordinator(*still);
    });
}

// Its tasks wait for what to start.
void Server::start_alone(Job& job, const Error& error) {
    for (auto& [key, task] : job.tasks) {
        if (!waits_for_start(task)) continue;
        task.alone = true;
        const std::string line = one_line(error) + "; this step runs without checkpoints";
        const bool is_news = m_policy.network.port != 0; // else the script's node says so, once
        perform(job, effect::StartTask{key, effect::Start::unmanaged, is_news ? line : std::string()});
    }
}

// What it had begun here is taken back.
void Server::coordinator_lost(Job& job) {
    Coordinator& coordinator = *job.coordinator;
    coordinator.link = 0;
    perform(job, effect::AnswerOnDemand{0, not_reached()});
    const bool is_missed =
        std::ranges::any_of(job.tasks, [](const auto& one) { return has_tree(one.second); });
    if (is_missed)
        log::warning("job " + std::to_string(job.facts.job_id) + ": the link to its coordinator is lost");
    for (auto& [key, task] : job.tasks)
        let_go(job, key, task);
    perform(job, effect::Proceed{});
    // The newest may still be wanted.
    std::vector<std::uint32_t> numbers;
    for (const auto& [number, generation] : job.generations)
        if (!coordinator.sealing.contains(number)) numbers.push_back(number);
    for (std::size_t i = 0; i + 1 < numbers.size(); ++i)
        perform(job, effect::DiscardImages{numbers[i], false});
    if (job.epilog) return participant_may_end(job);
    try_failed(job, {Code::busy, "the job's coordinator has closed the link", "see the log of its ckptd", 0});
}

void Server::let_go(Job& job, const TaskKey& key, Task& task) {
    const bool works = m_workers.runs(task.worker);
    if (!task.told && !task.alone && (works || task.root_pid != 0)) { // its restore is begun anew
        perform(job, effect::KillTree{key});
        task.root_pid = task.init_pid = 0;
        task.root_pidfd.reset();
        return;
    }
    if (works)
        perform(job, effect::DumpGoOn{key, Error{Code::busy, "the job's coordinator has gone", "", 0}});
    if (std::exchange(task.term_asked, false)) {
        task.term_delivered = true;
        perform(job, effect::RelayTerm{key});
    }
    if (has_tree(task)) perform(job, effect::ContinueTree{key});
}

void Server::tell_coordinator(Job& job, const Event& event) {
    Coordinator& coordinator = *job.coordinator;
    if (std::holds_alternative<event::EpilogArrived>(event)) return participant_may_end(job);
    if (std::holds_alternative<event::EpilogLimitReached>(event))
        return perform(job, effect::ReleaseEpilog{has_parts_under_way(job)});
    if (const auto* held = std::get_if<event::HoldEnded>(&event)) return hold_ended(job, *held);
    if (std::holds_alternative<event::OnDemand>(event) && coordinator.link == 0)
        return perform(job, effect::AnswerOnDemand{0, not_reached()});
    auto happened = narrowed<NodeEvent>(event);
    if (!happened) return;
    if (const auto* gone = std::get_if<event::TaskGone>(&event)) {
        if (job.tasks.contains(gone->task) && job.tasks.at(gone->task).alone) // nobody else would say so
            return perform(job, effect::ForgetTask{gone->task});
        // Linked, the coordinator says so; a dump that is under way has to be heard of there.
        if (coordinator.link == 0) perform(job, effect::KillTree{gone->task});
    }
    const auto* arrived = std::get_if<event::ShimArrived>(&event);
    // The answer may take longer than its shim waits for one.
    if (arrived != nullptr && (!coordinator.given_up || may_be_restored(job)))
        perform(job, effect::HoldBackTerm{arrived->task});
    const auto* term = std::get_if<event::TermArrived>(&event);
    if (term != nullptr) job.tasks.at(term->task).term_asked = coordinator.link != 0;
    if (coordinator.link != 0) return send_to_node(coordinator.link, wire::encode(node::Happened{*happened}));
    // What is so still is told when there is a link again.
    const bool is_news = std::holds_alternative<event::TaskGone>(event) ||
                         std::holds_alternative<event::TreeExited>(event) ||
                         std::holds_alternative<event::StepUnfit>(event);
    if (is_news && coordinator.missed.size() < k_missed_max) coordinator.missed.push_back(*happened);
    if (const auto* ended = std::get_if<event::TreeExited>(&event))
        perform(job, effect::LetShimLeave{ended->task});
    if (term != nullptr) {
        job.tasks.at(term->task).term_delivered = true;
        perform(job, effect::RelayTerm{term->task});
    }
    if (arrived == nullptr || !coordinator.given_up) return;
    if (m_policy.network.port == 0) return start_alone(job, switched_off());
    if (!may_be_restored(job)) return start_alone(job, not_reached());
    perform(job, effect::HoldJob{k_does_not_start + one_line(not_reached())});
}

// As the state machine does with tasks of its own.
void Server::hold_ended(Job& job, const event::HoldEnded& e) {
    if (!e.error) {
        for (const auto& [key, task] : job.tasks)
            if (waits_for_start(task))
                perform(job, job.state.in_allocation
                                 ? effect::StartTask{key, effect::Start::ended, {}, effect::k_not_started}
                                 : effect::StartTask{key, effect::Start::held, {}});
        return;
    }
    m_loop.after(k_hold_again, [this, job_id = job.facts.job_id, serial = job.serial, reason = e.reason] {
        Job* still = find_job(job_id, serial);
        if (still != nullptr && still->coordinator->given_up) perform(*still, effect::HoldJob{reason});
    });
}

bool Server::hear_coordinator(Job& job, const std::string& bytes) {
    const auto type = wire::type_of(bytes);
    if (!type) return false;
    job.coordinator->tries = 0; // it knows the job
    job.coordinator->given_up = false;
    if (*type == node::Decided::k_type) {
        const auto decided = wire::decode<node::Decided>(bytes);
        if (decided) carry_out(job, decided->effect);
        return decided.has_value();
    }
    if (*type == node::AskRest::k_type) {
        const auto asked = wire::decode<node::AskRest>(bytes);
        if (asked) come_to_rest(job, *asked);
        return asked.has_value();
    }
    if (*type == node::Seal::k_type) {
        const auto seal = wire::decode<node::Seal>(bytes);
        if (seal) seal_parts(job, seal->generation);
        return seal.has_value();
    }
    if (*type == node::Created::k_type) {
        const auto created = wire::decode<node::Created>(bytes);
        if (created) perform(job, effect::AnswerOnDemand{created->generation, created->error});
        return created.has_value();
    }
    if (*type == node::CameFrom::k_type) {
        const auto from = wire::decode<node::CameFrom>(bytes);
        if (from)
            job.adopted[{}] = {from->incarnation, from->generation,       from->of_job,
                               from->taken_at,    from->tree_was_stopped, false};
        return from.has_value();
    }
    return false;
}

void Server::carry_out(Job& job, const NodeEffect& effect) {
    const TaskKey* task = task_of(effect);
    if (task != nullptr && !job.tasks.contains(*task))
        return; // it has ended meanwhile, which is on its way there
    if (const auto* dump = std::get_if<effect::Dump>(&effect))
        job.generations[dump->generation].link = job.coordinator->link;
    if (std::holds_alternative<effect::RelayTerm>(effect)) job.tasks.at(*task).term_asked = false;
    std::visit([&](const auto& e) { perform(job, e); }, effect);
    keep_on_file(job);
    after_parts(job);
    empty_trash();
}

} // namespace ckpt
