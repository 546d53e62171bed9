// SPDX-License-Identifier: GPL-2.0-or-later
// Dumps that can wait are begun here, no more of them at once than the policy says.
#include <algorithm>
#include <chrono>
#include <utility>

#include "policy/margin.hpp"
#include "server.hpp"

namespace ckpt {

namespace {
constexpr Seconds k_place_patience{60};
} // namespace

void Server::want_dump(const DumpQueue::Turn& turn) {
    DumpQueue::Turn known = turn;
    if (const Job* job = find_job(turn.job_id)) known.uid = job->facts.uid;
    m_dumps.add(known);
    admit_dumps();
}

// After whatever may have made room, or may have made somebody wait in vain.
void Server::admit_dumps_soon() {
    if (m_dumps.is_empty() || std::exchange(m_admission_is_due, true)) return;
    m_loop.after(std::chrono::milliseconds(0), [this] {
        m_admission_is_due = false;
        admit_dumps();
    });
}

void Server::admit_dumps() {
    if (m_stopping) return;
    const auto running = [this] {
        return std::ranges::count_if(m_jobs, [](const auto& job) { return has_place(job.second); });
    };
    const auto can_dump = [this](std::uint32_t job_id) {
        const Job* job = find_job(job_id);
        return job != nullptr && can_take_generation(job->state);
    };
    while (const auto turn =
               m_dumps.next(static_cast<std::size_t>(running()), m_policy.admission.dumps, can_dump))
        begin_dump(*turn);
}

void Server::begin_dump(const DumpQueue::Turn& turn) {
    Job* job = find_job(turn.job_id);
    if (job == nullptr) return;
    const bool suspended = is_suspended(*job); // it may have been while it waited
    if (suspended && !turn.on_demand) return perform(*job, effect::ArmInterval{});
    if (suspended) return perform(*job, effect::AnswerOnDemand{0, suspended_error(turn.job_id)});
    const Seconds patience = place_patience(*job);
    if (turn.on_demand)
        handle(turn.job_id, event::OnDemand{turn.is_awaited, turn.reason, turn.by_signal});
    else
        handle(turn.job_id, event::IntervalElapsed{});
    job = find_job(turn.job_id);
    if (job == nullptr || !job->state.taking) return;
    job->dump_place = {job->state.taking->generation, std::chrono::steady_clock::now() + patience};
    m_loop.after(patience, [this] { admit_dumps_soon(); });
}

// One that takes much longer than it should does not move: its user may have stopped criu, which runs as that
// user. Nobody else waits for it.
bool Server::has_place(const Job& job) {
    if (!job.state.taking || is_app(job.state)) return false; // it costs the node nothing
    const bool is_timed = job.dump_place.generation == job.state.taking->generation;
    return !is_timed || std::chrono::steady_clock::now() < job.dump_place.until;
}

Seconds Server::place_patience(Job& job) const {
    const Predicted dump = limit_margin(checkpoint_cost(job), job.policy.time_limit, Seconds(0)).dump;
    return k_place_patience + Seconds(2 * static_cast<std::int64_t>(dump.seconds));
}

Error Server::suspended_error(std::uint32_t job_id) {
    return {Code::busy, "job " + std::to_string(job_id) + " is suspended",
            "try again when it has been resumed", 0};
}

} // namespace ckpt
