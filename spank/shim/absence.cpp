// SPDX-License-Identifier: GPL-2.0-or-later
#include "absence.hpp"

#include <algorithm>
#include <utility>

namespace ckpt {

namespace {

// A restart takes less than a second. Afterwards somebody has to do something first.
constexpr std::int64_t k_restart_ms = 3000;
constexpr std::int64_t k_restart_step_ms = 100;
constexpr std::int64_t k_soon_ms = 60'000;
constexpr std::int64_t k_soon_step_ms = 1000;
constexpr std::int64_t k_late_step_ms = 10'000;

} // namespace

void Absence::begin(std::int64_t now, std::int64_t complain_ms) {
    if (!m_since) {
        m_since = now;
        m_complain_at = now + complain_ms;
    }
    looked(now);
}

bool Absence::end() {
    m_since.reset();
    m_next_look.reset();
    m_complain_at.reset();
    return std::exchange(m_complained, false);
}

void Absence::looked(std::int64_t now) {
    const std::int64_t gone = now - m_since.value_or(now);
    m_next_look = now + (gone < k_restart_ms ? k_restart_step_ms
                         : gone < k_soon_ms  ? k_soon_step_ms
                                             : k_late_step_ms);
}

bool Absence::is_time_to_look(std::int64_t now) const {
    return m_next_look && now >= *m_next_look;
}

bool Absence::complain_now(std::int64_t now) {
    if (!m_complain_at || now < *m_complain_at) return false;
    m_complain_at.reset();
    m_complained = true;
    return true;
}

std::optional<std::int64_t> Absence::wait_ms(std::int64_t now) const {
    std::optional<std::int64_t> next = m_next_look;
    if (m_complain_at) next = next ? std::min(*next, *m_complain_at) : m_complain_at;
    if (next) next = std::max<std::int64_t>(*next - now, 0);
    return next;
}

} // namespace ckpt
