// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <set>

namespace ckpt {

// Who has the store listed or pruned at the moment. Each listing is a process of root's that reads a user's
// store, and may take half an hour. However many others there are, who has none gets one, up to a number that
// only keeps the node from harm; root's do not count.
class Listings {
public:
    static constexpr std::size_t k_each = 2;
    static constexpr std::size_t k_seconds = 8; // of all users together: beyond, nobody gets a second
    static constexpr std::size_t k_all = 64;

    [[nodiscard]] bool may_begin(uid_t uid) const {
        if (uid == 0) return true;
        const std::size_t own = m_under_way.count(uid);
        return own < k_each && m_under_way.size() < (own == 0 ? k_all : k_seconds);
    }
    void begin(uid_t uid) {
        if (uid != 0) m_under_way.insert(uid);
    }
    void end(uid_t uid) { m_under_way.extract(uid); } // one of them

private:
    std::multiset<uid_t> m_under_way;
};

} // namespace ckpt
