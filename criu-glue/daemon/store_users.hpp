// SPDX-License-Identifier: GPL-2.0-or-later
// Who may have something in the store that has to go: the users of the jobs that have been on this node, and
// the directories that these had their checkpoints in.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ckpt {

class StoreUsers {
public:
    // Of one user; with --checkpoint-dir that could be as many as jobs. The last used ones stay.
    static constexpr std::size_t k_most = 16;

    struct Store {
        std::string base;
        std::string user; // the name, which stands for %u in a base
    };

    // A job of theirs is here; `now` in Unix seconds.
    void remember(uid_t uid, const std::string& user, const std::string& base, std::int64_t now);
    // Where no job was later than `oldest`.
    void forget(std::int64_t oldest);

    [[nodiscard]] std::vector<uid_t> users() const;
    [[nodiscard]] std::vector<Store> of(uid_t uid) const;

private:
    struct Use {
        std::string user;
        std::int64_t seen = 0;
    };
    std::map<uid_t, std::map<std::string, Use>> m_users; // by base
};

} // namespace ckpt
