// SPDX-License-Identifier: GPL-2.0-or-later
// A job of which some tasks run on other nodes, seen from the node that runs its batch script. The state
// machine does not know where a task runs: what it decides of one that is elsewhere is sent there, and done
// there.
#include <algorithm>
#include <utility>

#include "effects_common.hpp"
#include "log.hpp"
#include "server.hpp"
#include "wire/engine_messages.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::seconds k_dump_margin{2};
// A last generation whose trees have ended already: a link that is lost may come back.
constexpr std::chrono::seconds k_seal_patience{60};

Error no_answer(const std::string& node) {
    return {Code::dump_failed, "node " + node + ", where a step of the job runs, does not answer",
            "see the log of ckptd there", 0};
}

// Only its node can see whether it runs without us.
bool is_unheard_of(const TaskState& task) {
    return task.phase == TaskState::Phase::registered && !task.shim_present && !task.over;
}

} // namespace

bool Server::is_elsewhere(const Job& job, const TaskKey& task) {
    return job.others.tasks.contains(task);
}

template <typename M>
bool Server::tell_node(const Job& job, const std::string& node, const M& message) {
    const auto link = job.others.links.find(node);
    if (link == job.others.links.end()) return false;
    send_to_node(link->second, wire::encode(message));
    return true;
}

// True when it is done elsewhere.
bool Server::decide_elsewhere(Job& job, const Effect& effect) {
    const TaskKey* task = task_of(effect);
    if (task == nullptr || !is_elsewhere(job, *task)) return false;
    const std::string node = job.others.tasks.at(*task);
    const auto decided = narrowed<NodeEffect>(effect);
    if (!decided) return true;
    if (std::holds_alternative<effect::FetchPart>(effect)) tell_origin(job, node);
    const bool told = tell_node(job, node, node::Decided{*decided});
    if (const auto* forgotten = std::get_if<effect::ForgetTask>(&effect))
        job.others.tasks.erase(forgotten->task);
    ordered_elsewhere(job, node, effect, told);
    return true;
}

void Server::ordered_elsewhere(const Job& job, const std::string& node, const Effect& effect, bool told) {
    const auto expect = [&](const TaskKey& task, std::uint32_t generation, Seconds limit) {
        if (told) return limit_dump_elsewhere(job, node, task, generation, limit);
        m_loop.after(std::chrono::milliseconds(0),
                     [this, job_id = job.facts.job_id, serial = job.serial, task, generation, node] {
                         if (find_job(job_id, serial) != nullptr)
                             handle(job_id, event::DumpEnded{task, no_answer(node), 0, 0, generation});
                     });
    };
    if (const auto* dump = std::get_if<effect::Dump>(&effect))
        expect(dump->task, dump->generation, dump_limit(job, *dump) + wire::k_engine_margin);
    if (const auto* ask = std::get_if<effect::AskApp>(&effect))
        expect(ask->task, ask->generation, dump_limit(job, *ask) + k_app_margin);
}

// A ckptd may hang on a node whose kernel answers. By then its own limit has passed.
void Server::limit_dump_elsewhere(const Job& job, const std::string& node, const TaskKey& task,
                                  std::uint32_t generation, Seconds limit) {
    m_loop.after(limit + k_dump_margin, [this, job_id = job.facts.job_id, serial = job.serial, node, task,
                                         generation] {
        const Job* still = find_job(job_id, serial);
        if (still == nullptr || !still->state.taking || still->state.taking->generation != generation ||
            !still->state.taking->missing.contains(task))
            return;
        if (const auto link = still->others.links.find(node); link != still->others.links.end())
            return drop_link(link->second); // node_lost() ends the dump
        handle(job_id, event::DumpEnded{task, no_answer(node), 0, 0, generation});
    });
}

void Server::tell_origin(const Job& job, const std::string& node) {
    if (job.adopted.empty()) return;
    const AdoptedGeneration& from = job.adopted.begin()->second; // an incarnation comes from one generation
    (void)tell_node(
        job, node,
        node::CameFrom{from.incarnation, from.generation, from.of_job, from.taken_at, from.tree_was_stopped});
}

void Server::tell_asker(Job& job, const effect::AnswerOnDemand& e) {
    const std::string node = std::exchange(job.others.asker, {});
    if (!node.empty()) (void)tell_node(job, node, node::Created{e.generation, e.error});
}

// Effects that are about no single task.
void Server::decide_on_all_nodes(const Job& job, const NodeEffect& effect) {
    for (const auto& [node, link] : job.others.links)
        send_to_node(link, wire::encode(node::Decided{effect}));
}

bool Server::hear_node(Job& job, const std::string& node, const std::string& bytes) {
    const auto type = wire::type_of(bytes);
    if (!type) return false;
    if (*type == node::Happened::k_type) {
        const auto happened = wire::decode<node::Happened>(bytes);
        return happened && happened_elsewhere(job, node, happened->event);
    }
    if (*type == node::Rest::k_type) {
        const auto rest = wire::decode<node::Rest>(bytes);
        if (rest) node_rests(job, node, *rest);
        return rest.has_value();
    }
    if (*type == node::Sealed::k_type) {
        const auto sealed = wire::decode<node::Sealed>(bytes);
        if (sealed) node_sealed(job, node, *sealed);
        return sealed.has_value();
    }
    return false;
}

// What there is of the same task already is another node's; or there is too much.
bool Server::admit_elsewhere(Job& job, const std::string& node, const event::TaskRegistered& e) {
    const auto known = job.others.tasks.find(e.task);
    const bool here = job.tasks.contains(e.task);
    const bool is_theirs = known == job.others.tasks.end() ? job.state.tasks.size() < wire::k_job_tasks_max
                                                           : known->second == node;
    if (e.stand_in != 0 && !here && is_theirs) {
        job.others.tasks[e.task] = node;
        return true;
    }
    handle(job.facts.job_id, event::StepUnfit{e.stand_in});
    return false;
}

bool Server::happened_elsewhere(Job& job, const std::string& node, const NodeEvent& what) {
    const std::uint32_t job_id = job.facts.job_id;
    const std::uint64_t serial = job.serial;
    if (const auto* registered = std::get_if<event::TaskRegistered>(&what)) {
        if (!admit_elsewhere(job, node, *registered)) return true;
    } else if (const TaskKey* task = task_of(what)) {
        const auto known = job.others.tasks.find(*task);
        if (known == job.others.tasks.end() || known->second != node) {
            // Refused, or forgotten meanwhile: nobody here will ever say what it is to start.
            if (std::holds_alternative<event::ShimArrived>(what))
                (void)tell_node(job, node,
                                node::Decided{effect::StartTask{*task, effect::Start::unmanaged, {}}});
            return true;
        }
    }
    const auto* dumped = std::get_if<event::DumpEnded>(&what);
    const auto state = dumped != nullptr ? job.state.tasks.find(dumped->task) : job.state.tasks.end();
    if (state != job.state.tasks.end() && !dumped->error && job.state.taking &&
        job.state.taking->generation == dumped->generation)
        job.generations[dumped->generation].elsewhere[dumped->task] = {state->second.stand_in, node};
    if (const auto* asked = std::get_if<event::OnDemand>(&what)) {
        asked_elsewhere(job, node, *asked);
        return true;
    }
    std::visit([&](const auto& event) { handle(job_id, event); }, what);
    if (dumped != nullptr && dumped->error && dumped->error->code == Code::not_found)
        await_status(job_id, serial, dumped->task);
    return true;
}

// The turn of others and a suspension count.
void Server::asked_elsewhere(Job& job, const std::string& node, const event::OnDemand& asked) {
    if (asked.by_signal && is_same_signal(job, node)) {
        (void)tell_node(job, node, node::Created{});
        return;
    }
    if (asked.is_awaited && is_create_under_way(job)) {
        (void)tell_node(job, node, node::Created{0, create_under_way()});
        return;
    }
    if (asked.is_awaited) job.others.asker = node;
    want_dump({job.facts.job_id, true, asked.is_awaited, asked.reason});
}

void Server::node_lost(Job& job, const std::string& node) {
    if (job.others.asker == node) {
        job.others.asker.clear();
        begin_what_was_asked_inside(job);
    }
    const std::uint32_t job_id = job.facts.job_id;
    const std::uint64_t serial = job.serial;
    const bool is_missed = std::ranges::any_of(job.others.tasks, [&](const auto& one) {
        const auto state = job.state.tasks.find(one.first);
        return one.second == node && state != job.state.tasks.end() && !state->second.over;
    });
    if (is_missed && !job.state.ending)
        log::warning("job " + std::to_string(job_id) + ": " + one_line(no_answer(node)));
    if (job.settling && job.settling->round.awaits(node)) settle_ended(job, no_answer(node));
    if (job.others.sealing.contains(node)) give_up_sealing(job, node);
    std::vector<TaskKey> tasks;
    for (const auto& [task, where] : job.others.tasks)
        if (where == node) tasks.push_back(task);
    for (const TaskKey& task : tasks) {
        Job* still = find_job(job_id, serial);
        if (still == nullptr) return;
        const auto state = still->state.tasks.find(task);
        const bool over = state == still->state.tasks.end() || state->second.over;
        if (still->state.taking && still->state.taking->missing.contains(task))
            handle(job_id, event::DumpEnded{task, no_answer(node), 0, 0});
        if (over)
            handle(job_id, event::TaskGone{task, {}});
        else
            handle(job_id, event::ShimAway{task});
    }
}

void Server::give_up_sealing(Job& job, const std::string& node) {
    const std::uint32_t number = job.others.sealing_generation;
    const auto committing = job.state.committing.find(number);
    const bool is_only_one = committing != job.state.committing.end() && is_last(committing->second.reason);
    if (!is_only_one) return node_sealed(job, node, {number, no_answer(node)});
    m_loop.after(k_seal_patience, [this, job_id = job.facts.job_id, serial = job.serial, node, number] {
        if (Job* still = find_job(job_id, serial); still != nullptr && !still->others.links.contains(node))
            node_sealed(*still, node, {number, no_answer(node)});
    });
}

// Its srun has ended; of tasks on a node that does not answer nothing more will come.
void Server::forget_lost_tasks(Job& job, std::uint64_t stand_in) {
    std::vector<TaskKey> lost;
    for (const auto& [task, node] : job.others.tasks) {
        const auto state = job.state.tasks.find(task);
        if (!job.others.links.contains(node) && state != job.state.tasks.end() &&
            state->second.stand_in == stand_in)
            lost.push_back(task);
    }
    for (const TaskKey& task : lost)
        handle(job.facts.job_id, event::TaskGone{task, {}});
}

// ---- rest ----

// It has ended, and its slurmstepd may still have something to say.
bool Server::has_output_under_way(const Job& job, const std::string& node, const TaskState& task) {
    return task.phase == TaskState::Phase::ended && !task.over && job.others.links.contains(node);
}

// Those that have a part in the cut.
std::set<std::string> Server::nodes_to_rest(const Job& job) {
    std::set<std::string> nodes;
    for (const auto& [task, node] : job.others.tasks)
        if (const auto state = job.state.tasks.find(task);
            state != job.state.tasks.end() &&
            (state->second.phase == TaskState::Phase::running || is_unheard_of(state->second) ||
             has_output_under_way(job, node, state->second)))
            nodes.insert(node);
    return nodes;
}

bool Server::ask_nodes_to_rest(Job& job) {
    for (const std::string& node : nodes_to_rest(job))
        if (!tell_node(job, node, node::AskRest{job.settling->generation, job.settling->round.number()})) {
            settle_ended(job, no_answer(node));
            return false;
        }
    return true;
}

void Server::node_rests(Job& job, const std::string& node, const node::Rest& rest) {
    if (!job.settling || job.settling->generation != rest.generation) return;
    SettleRound& round = job.settling->round;
    if (round.number() != rest.round || !round.awaits(node)) return;
    if (rest.error) return settle_ended(job, rest.error);
    round.answered(node, rest.at_rest);
    if (round.is_complete()) look_at_rest(job);
}

// ---- parts that other nodes bring to the store ----

void Server::ask_nodes_to_seal(Job& job, std::uint32_t generation) {
    const auto found = job.generations.find(generation);
    if (found == job.generations.end()) return;
    job.others.sealing_generation = generation;
    job.others.sealing.clear();
    for (const auto& [task, part] : found->second.elsewhere)
        job.others.sealing.insert(part.node);
    for (const std::string& node : std::set<std::string>(job.others.sealing))
        if (!tell_node(job, node, node::Seal{generation}))
            return node_sealed(job, node, {generation, no_answer(node)});
}

void Server::node_sealed(Job& job, const std::string& node, const node::Sealed& sealed) {
    if (sealed.generation != job.others.sealing_generation || job.others.sealing.erase(node) == 0) return;
    wire::CommitGoOn go_on;
    if (sealed.error) {
        job.others.sealing.clear();
        go_on.outcome = wire::outcome_of(*sealed.error);
    } else if (!job.others.sealing.empty()) {
        return;
    }
    m_workers.tell(job.commit_worker, wire::encode(go_on));
}

} // namespace ckpt
