// SPDX-License-Identifier: GPL-2.0-or-later
#include "loop.hpp"

#include <poll.h>

#include <algorithm>
#include <vector>

namespace ckpt {

Loop::Id Loop::watch(int fd, std::function<void()> ready) {
    m_watches.emplace(m_next, Watch{fd, POLLIN, std::move(ready)});
    return m_next++;
}

Loop::Id Loop::watch_writable(int fd, std::function<void()> ready) {
    m_watches.emplace(m_next, Watch{fd, POLLOUT, std::move(ready)});
    return m_next++;
}

Loop::Id Loop::after(std::chrono::milliseconds delay, std::function<void()> due) {
    m_timers.emplace(m_next, Timer{Clock::now() + delay, std::move(due)});
    return m_next++;
}

void Loop::cancel(Id id) {
    m_watches.erase(id);
    m_timers.erase(id);
}

void Loop::run() {
    m_running = true;
    while (m_running) {
        wait_once();
        fire_timers();
    }
}

void Loop::wait_once() {
    std::vector<pollfd> fds;
    std::vector<Id> ids;
    fds.reserve(m_watches.size());
    for (const auto& [id, watch] : m_watches) {
        fds.push_back({watch.fd, watch.events, 0});
        ids.push_back(id);
    }
    auto timeout = std::chrono::milliseconds(-1);
    for (const auto& [id, timer] : m_timers) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(timer.at - Clock::now());
        const auto bounded = std::max(left, std::chrono::milliseconds(0));
        if (timeout.count() < 0 || bounded < timeout) timeout = bounded;
    }
    if (::poll(fds.data(), fds.size(), static_cast<int>(timeout.count())) <= 0) return;
    for (std::size_t i = 0; i < fds.size(); ++i) {
        if (fds[i].revents == 0) continue;
        const auto found = m_watches.find(ids[i]); // an earlier callback may have cancelled it
        if (found == m_watches.end()) continue;
        const auto ready = found->second.ready; // a copy: the callback may cancel itself
        ready();
    }
}

void Loop::fire_timers() {
    const auto now = Clock::now();
    std::vector<Id> due;
    for (const auto& [id, timer] : m_timers)
        if (timer.at <= now) due.push_back(id);
    for (const Id id : due) {
        const auto found = m_timers.find(id);
        if (found == m_timers.end()) continue;
        const auto callback = std::move(found->second.due);
        m_timers.erase(found);
        callback();
    }
}

} // namespace ckpt
