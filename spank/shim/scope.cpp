// SPDX-License-Identifier: GPL-2.0-or-later
#include "scope.hpp"

#include <algorithm>

namespace ckpt {

void ScopeJudge::shim_saw(int signal, std::int64_t now) {
    m_shim.push_back({signal, now});
}

void ScopeJudge::canary_saw(int signal, std::int64_t now) {
    std::erase_if(m_canary, [now](const Seen& seen) { return now - seen.at > k_window_ms; });
    m_canary.push_back({signal, now});
}

bool ScopeJudge::take_from_canary(const Seen& seen) {
    const auto match = std::ranges::find_if(m_canary, [&seen](const Seen& other) {
        return other.signal == seen.signal && other.at - seen.at <= k_window_ms &&
               seen.at - other.at <= k_window_ms;
    });
    if (match == m_canary.end()) return false;
    m_canary.erase(match);
    return true;
}

std::optional<ScopeJudge::Judged> ScopeJudge::next(std::int64_t now) {
    if (m_shim.empty()) return std::nullopt;
    const Seen head = m_shim.front();
    const bool group = take_from_canary(head);
    if (!group && m_has_canary && now - head.at < k_window_ms) return std::nullopt;
    m_shim.pop_front();
    return Judged{head.signal, group ? wire::SignalScope::group : wire::SignalScope::process};
}

std::optional<std::int64_t> ScopeJudge::wait_ms(std::int64_t now) const {
    if (m_shim.empty()) return std::nullopt;
    return std::max<std::int64_t>(k_window_ms - (now - m_shim.front().at), 0);
}

} // namespace ckpt
