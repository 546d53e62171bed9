// SPDX-License-Identifier: GPL-2.0-or-later
#include "scope.hpp"

#include <algorithm>

namespace ckpt {

void ScopeJudge::shim_saw(int signal, std::int64_t now) {
    std::erase_if(m_canary, [now](const Seen& seen) { return now - seen.at > k_stale_ms; });
    m_shim.push_back({signal, now});
}

void ScopeJudge::canary_saw(int signal, std::int64_t now) {
    m_canary.push_back({signal, now});
}

bool ScopeJudge::wants_to_ask(std::int64_t now) const {
    if (!m_has_canary || m_asked || m_shim.empty()) return false;
    return !m_shim.front().alone && now - m_shim.front().at >= k_settle_ms;
}

// What had settled when the canary was asked and was not among its reports, it has not seen.
void ScopeJudge::answered() {
    if (!m_asked) return;
    for (Seen& seen : m_shim)
        if (*m_asked - seen.at >= k_settle_ms) seen.alone = true;
    m_asked.reset();
}

bool ScopeJudge::take_from_canary(const Seen& seen) {
    const auto match =
        std::ranges::find_if(m_canary, [&seen](const Seen& other) { return other.signal == seen.signal; });
    if (match == m_canary.end()) return false;
    m_canary.erase(match);
    return true;
}

std::optional<ScopeJudge::Judged> ScopeJudge::next(std::int64_t now) {
    if (m_shim.empty()) return std::nullopt;
    const Seen head = m_shim.front();
    const bool group = take_from_canary(head);
    if (!group && m_has_canary && !head.alone && now - head.at < k_patience_ms) return std::nullopt;
    m_shim.pop_front();
    return Judged{head.signal, group ? wire::SignalScope::group : wire::SignalScope::process};
}

std::optional<std::int64_t> ScopeJudge::wait_ms(std::int64_t now) const {
    if (m_shim.empty()) return std::nullopt;
    const std::int64_t until = m_asked ? k_patience_ms : k_settle_ms;
    return std::max<std::int64_t>(until - (now - m_shim.front().at), 0);
}

} // namespace ckpt
