// SPDX-License-Identifier: GPL-2.0-or-later
#include "watched.hpp"

#include <sys/epoll.h>

namespace ckpt {

Watched& Watched::operator=(Watched&& other) noexcept {
    if (this == &other) return *this;
    reset();
    m_fd = std::move(other.m_fd);
    m_epoll = other.m_epoll;
    m_mark = other.m_mark;
    m_events = std::exchange(other.m_events, 0);
    return *this;
}

bool Watched::wait_for(std::uint32_t events) {
    if (events == m_events || !m_fd) return true;
    epoll_event event{};
    event.events = events;
    event.data.u64 = m_mark;
    const int change = events == 0 ? EPOLL_CTL_DEL : m_events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (::epoll_ctl(m_epoll, change, m_fd.get(), &event) != 0) return false;
    m_events = events;
    return true;
}

void Watched::reset() {
    wait_for(k_nothing);
    m_events = 0;
    m_fd.reset();
}

} // namespace ckpt
