// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/rate.hpp"

#include <algorithm>

namespace ckpt {

namespace {

constexpr std::chrono::duration<double> k_longest = std::chrono::hours(24); // a Duration holds 292 years

} // namespace

ByteRate::ByteRate(std::uint64_t bytes_per_s, Instant now)
    : m_bytes_per_s(static_cast<double>(bytes_per_s)), m_there(m_bytes_per_s), m_since(now) {}

ByteRate::Duration ByteRate::take(std::uint64_t bytes, Instant now) {
    if (m_bytes_per_s <= 0) return Duration::zero();
    const std::chrono::duration<double> passed = std::max(now, m_since) - m_since;
    m_since = std::max(now, m_since);
    m_there = std::min(m_there + passed.count() * m_bytes_per_s, m_bytes_per_s);
    m_there -= static_cast<double>(bytes);
    if (m_there >= 0) return Duration::zero();
    const std::chrono::duration<double> wait(-m_there / m_bytes_per_s);
    return std::chrono::ceil<Duration>(std::min(wait, k_longest));
}

} // namespace ckpt
