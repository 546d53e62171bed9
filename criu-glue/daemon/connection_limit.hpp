// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <map>

namespace ckpt {

// How many connections users may have, so that slurmstepd, which is root, can always connect: each costs two
// descriptors (os/socket.hpp:Peer). A user's own shims and commands fit; one who opens connections to exhaust
// ours does not. Several of them together keep neither those out who have few, nor the shims of jobs.
class ConnectionLimit {
public:
    static constexpr std::size_t k_each = 1024; // a shim for each task of a large node, twice
    static constexpr std::size_t k_few = 16;

    // `descriptors`: that this process may have. A quarter of them is left for all else.
    explicit ConnectionLimit(std::size_t descriptors) : m_eighth(descriptors / 8) {}

    // `is_awaited`: it is the shim of a task that has been registered, and has no connection yet.
    [[nodiscard]] bool may_come(uid_t uid, bool is_awaited) const {
        if (uid == 0) return true;
        const auto found = m_each.find(uid);
        const std::size_t own = found != m_each.end() ? found->second : 0;
        const std::size_t eighths_of_connections = is_awaited ? 3 : own < k_few ? 2 : 1;
        return own < k_each && m_all < eighths_of_connections * m_eighth;
    }
    void came(uid_t uid) {
        if (uid == 0) return;
        ++m_each[uid];
        ++m_all;
    }
    void gone(uid_t uid) {
        const auto found = m_each.find(uid);
        if (found == m_each.end()) return;
        if (--found->second == 0) m_each.erase(found);
        --m_all;
    }

private:
    std::size_t m_eighth;
    std::size_t m_all = 0;
    std::map<uid_t, std::size_t> m_each;
};

} // namespace ckpt
