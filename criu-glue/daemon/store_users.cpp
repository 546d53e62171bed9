// SPDX-License-Identifier: GPL-2.0-or-later
#include "store_users.hpp"

#include <algorithm>

namespace ckpt {

void StoreUsers::remember(uid_t uid, const std::string& user, const std::string& base, std::int64_t now) {
    auto& bases = m_users[uid];
    if (!bases.contains(base) && bases.size() >= k_most)
        bases.erase(std::ranges::min_element(bases, {}, [](const auto& one) { return one.second.seen; }));
    bases[base] = {user, now};
}

void StoreUsers::forget(std::int64_t oldest) {
    for (auto& bases : m_users)
        std::erase_if(bases.second, [&](const auto& one) { return one.second.seen < oldest; });
    std::erase_if(m_users, [](const auto& one) { return one.second.empty(); });
}

std::vector<uid_t> StoreUsers::users() const {
    std::vector<uid_t> all;
    for (const auto& [uid, bases] : m_users)
        all.push_back(uid);
    return all;
}

std::vector<StoreUsers::Store> StoreUsers::of(uid_t uid) const {
    std::vector<Store> all;
    const auto found = m_users.find(uid);
    if (found == m_users.end()) return all;
    for (const auto& [base, use] : found->second)
        all.push_back({base, use.user});
    return all;
}

} // namespace ckpt
