// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "os/fd.hpp"
#include "store/retention.hpp"
#include "store/room.hpp"
#include "wire/store_messages.hpp"

namespace ckpt {

store::RoomRules room_rules(const wire::Retention& retention);
// What slurmctld has said; nothing of it when the cluster is "".
store::ActiveJobs active_jobs(const std::string& cluster, const std::vector<wire::JobRange>& ranges);

// Carries out a PruneRequest. A user without a directory has nothing to remove.
Status prune_user(const wire::PruneRequest& request, std::vector<Fd>& fds, wire::PruneResult& result);

} // namespace ckpt
