// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "result/result.hpp"
#include "store/job_at.hpp"
#include "store/retention.hpp"

namespace ckpt::store {

struct RoomRules {
    RetentionRules retention;
    double min_free = 0; // share of the file system
};

// Before a commit of `incarnation` of that job: is there room for another generation? At the user's limit
// what retention allows without slurmctld goes first. Code::store_full, with the figures, when there is none.
Status make_room(const Store& store, const Owner& owner, std::uint32_t incarnation, const RoomRules& rules,
                 std::int64_t now);

} // namespace ckpt::store
