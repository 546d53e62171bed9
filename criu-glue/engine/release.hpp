// SPDX-License-Identifier: GPL-2.0-or-later
// Makes a tree run on after a dump that failed or was killed.
#pragma once

#include <sys/types.h>

#include <set>
#include <vector>

#include "engine/survey.hpp"

namespace ckpt {

// Members that were stopped (by the user or by Slurm) before we came: they stay so.
std::set<pid_t> stopped_members(const std::vector<Member>& members);

// Kills a criu: `starter` and what it forked.
void kill_criu(pid_t starter);

// CRIU reads a TCP connection in repair mode, which belongs to the socket and outlives criu: the job's next
// read would fail with EPERM. To be called while the tree stands still.
void end_repair_in_tree(pid_t root);

// Continues every other stopped member of the tree and takes its TCP sockets out of repair mode. criu must be
// dead.
void release_tree(pid_t root, const std::set<pid_t>& stopped_before);

} // namespace ckpt
