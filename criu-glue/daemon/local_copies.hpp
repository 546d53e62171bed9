// SPDX-License-Identifier: GPL-2.0-or-later
// The newest images of jobs that have left this node, or may come back to it: a job that is requeued here
// need not read them from the store. Bounded, the oldest go first; gone with the daemon, so that no image
// outlives a crash of the node unnoticed. Which files they are is local_tier.hpp's matter.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "state.hpp"

namespace ckpt {

struct LocalCopy {
    std::uint32_t job_id = 0;
    std::string uuid;
    TaskKey task;
    std::uint32_t incarnation = 0; // with generation: which it is
    std::uint32_t generation = 0;
    std::uint64_t bytes = 0;
    std::int64_t kept_at = 0; // Unix seconds

    [[nodiscard]] std::string name() const; // of its directory
};

class LocalCopies {
public:
    // Takes `copy` in the place of an older one of the same task. Returns what has to be removed for it,
    // which is `copy` itself when it is larger than `limit` bytes.
    std::vector<LocalCopy> keep(LocalCopy copy, std::uint64_t limit);
    [[nodiscard]] std::optional<LocalCopy> find(std::uint32_t job_id, const std::string& uuid,
                                                const TaskKey& task) const;
    // Forgets it: it is used, or of no use.
    void drop(const LocalCopy& copy);
    std::vector<LocalCopy> drop_job(std::uint32_t job_id, const std::string& uuid);
    // The oldest, until `bytes` are free, or nothing is left.
    std::vector<LocalCopy> make_room(std::uint64_t bytes);
    std::vector<LocalCopy> expire(std::int64_t kept_before);
    [[nodiscard]] std::uint64_t bytes() const;

private:
    std::list<LocalCopy> m_copies; // oldest first
};

} // namespace ckpt
