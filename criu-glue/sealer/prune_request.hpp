// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "os/fd.hpp"
#include "store/room.hpp"
#include "wire/worker.hpp"

namespace ckpt {

store::RoomRules room_rules(const wire::Retention& retention);

// Carries out a PruneRequest. A user without a directory has nothing to remove.
Status prune_user(const wire::PruneRequest& request, std::vector<Fd>& fds, wire::PruneResult& result);

} // namespace ckpt
