// SPDX-License-Identifier: GPL-2.0-or-later
// sckpt drain: all jobs of a node are checkpointed and requeued, so that it can be taken out of service.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "result/result.hpp"

namespace ckpt::cli {

struct DrainOptions {
    std::string node;
    std::string reason = "sckpt drain";
    bool dry_run = false;
    bool json = false;
};

// A job of the node, as `ckpt-slurmctld node` prints it.
struct DrainedJob {
    std::uint32_t id = 0;
    std::string host; // that its script runs on
    std::string address;
    std::uint32_t uid = 0;
    std::string name;
    std::uint32_t generation = 0; // from which it goes on; 0 = it stays
    std::optional<Error> error;   // why it stays
};

struct NodeState {
    bool takes_jobs = false;
    std::vector<DrainedJob> jobs;
};
// What that program has printed, if it is understood.
std::optional<NodeState> parse_node(const std::string& output);

// What has become of the jobs, for people and for programs.
std::string drain_summary(const std::string& node, const std::vector<DrainedJob>& jobs);
std::string drain_json(const std::string& node, const std::vector<DrainedJob>& jobs);
// The same of a dry run.
std::string dry_run_text(const std::string& node, const std::vector<DrainedJob>& jobs);
std::string dry_run_json(const std::string& node, const std::vector<DrainedJob>& jobs);

// True when no job of the node is left there, or would be (`dry_run`). The node takes no jobs from the
// beginning; those that could not be checkpointed run on. Needs root. Code::not_found when slurmctld does not
// know the node: then nothing is changed.
Result<bool> drain(const DrainOptions& options);

} // namespace ckpt::cli
