// SPDX-License-Identifier: GPL-2.0-or-later
// Settings of Slurm under which a job cannot be checkpointed: its signals have to reach the shim alone (slurm
// src/plugins/proctrack/cgroup/proctrack_cgroup.c:proctrack_p_signal).
#pragma once

#include <optional>
#include <string_view>

#include "result/result.hpp"

namespace ckpt {

// SignalChildrenProcesses of cgroup.conf, given as text, as Slurm's parser understands it (src/common/
// parse_config.c): one KEY=VALUE a line, the last one counts. Files that it includes are not looked at.
bool signals_children(std::string_view cgroup_conf);

// Why no job can be checkpointed, and what an admin has to set (Code::unsupported_setting); nothing when all
// is well. An empty `proctrack_type` = not known.
std::optional<Error> unsupported_setting(std::string_view proctrack_type, bool signals_children);

} // namespace ckpt
