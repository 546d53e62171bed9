// SPDX-License-Identifier: GPL-2.0-or-later
// A node before its maintenance.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "result/result.hpp"

namespace ckpt {

struct NodeJob {
    std::uint32_t job_id = 0;
    std::uint32_t uid = 0;
    std::string host;    // that its script runs on
    std::string address; // of that one
    std::string name;
};

struct NodeRecord {
    bool takes_jobs = true;    // false: it is being drained, is to be rebooted, or is down
    std::vector<NodeJob> jobs; // that run on it, or are suspended
};

// Code::not_found when slurmctld does not know the node.
Result<NodeRecord> load_node(const std::string& name);

// No job starts there any more; what runs is left alone. slurmctld wants a reason.
Status drain_node(const std::string& name, const std::string& reason);

} // namespace ckpt
