// SPDX-License-Identifier: GPL-2.0-or-later
#include "admission.hpp"

#include <algorithm>

#include "state.hpp"

namespace ckpt {

void DumpQueue::add(const Turn& turn) {
    const auto found = std::ranges::find(m_waiting, turn.job_id, &Turn::job_id);
    if (found == m_waiting.end()) return m_waiting.push_back(turn);
    if (turn.on_demand && (!found->on_demand || is_last(turn.reason))) found->reason = turn.reason;
    found->on_demand = found->on_demand || turn.on_demand;
    found->is_awaited = found->is_awaited || turn.is_awaited;
}

void DumpQueue::remove(std::uint32_t job_id) {
    std::erase_if(m_waiting, [&](const Turn& turn) { return turn.job_id == job_id; });
}

void DumpQueue::forget_due(std::uint32_t job_id) {
    std::erase_if(m_waiting, [&](const Turn& turn) { return turn.job_id == job_id && !turn.on_demand; });
}

std::optional<DumpQueue::Turn> DumpQueue::next(std::size_t running, std::uint32_t limit,
                                               const std::function<bool(std::uint32_t)>& can_dump) {
    std::vector<Turn> waiting;
    std::optional<Turn> refused;
    for (const Turn& turn : m_waiting) {
        if (can_dump(turn.job_id) || (turn.on_demand && refused))
            waiting.push_back(turn);
        else if (turn.on_demand)
            refused = turn;
    }
    m_waiting = std::move(waiting);
    if (refused) return refused;
    if (m_waiting.empty()) m_turn_of.clear();
    if (m_waiting.empty() || (limit != 0 && running >= limit)) return std::nullopt;
    const auto last_turn = [this](const Turn& turn) {
        const auto found = m_turn_of.find(turn.uid);
        return found == m_turn_of.end() ? std::uint64_t{0} : found->second;
    };
    const auto chosen = std::ranges::min_element(m_waiting, {}, last_turn); // the first of several
    const Turn first = *chosen;
    m_waiting.erase(chosen);
    m_turn_of[first.uid] = ++m_turns;
    return first;
}

} // namespace ckpt
