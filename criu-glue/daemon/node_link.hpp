// SPDX-License-Identifier: GPL-2.0-or-later
// What a ckptd holds of a job that runs on several nodes besides its own part. Data only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "link/link.hpp"
#include "loop.hpp"
#include "node_messages.hpp"
#include "slurmctld.hpp"
#include "worker.hpp"

namespace ckpt {

using LinkId = std::uint64_t;

// To the ckptd of another node, about one job; or, with job 0, to a command of root's there.
struct NodeLink {
    Link link;
    std::uint32_t job_id = 0;
    std::uint64_t serial = 0; // of the incarnation
    std::string node;         // the other one
    Loop::Id readable = 0;
    Loop::Id writable = 0; // 0 = everything has been written
};

// Of a job whose batch script runs here.
struct OtherNodes {
    std::map<std::string, LinkId> links;  // by node
    std::map<TaskKey, std::string> tasks; // where those run that are not here
    std::set<std::string> sealing;        // nodes whose parts are not in the store yet
    std::uint32_t sealing_generation = 0;
    std::string asker; // where somebody waits for a generation; "" = nowhere
};

// Of a job whose batch script runs elsewhere.
struct Coordinator {
    std::string node;                 // "" = not known yet
    LinkId link = 0;                  // 0 = there is none
    Workers::Id worker = 0;           // that makes it
    std::optional<BatchHost> host;    // as slurmctld has said
    bool is_sought = false;           // a try is under way, or its time will come
    unsigned tries = 0;               // since there was one that knew the job
    bool given_up = false;            // the job's tasks here run without checkpoints, or the job is held
    std::vector<NodeEvent> missed;    // what has ended without one
    node::AskRest asked{};            // and not answered
    std::set<std::uint32_t> sealing;  // generations
    std::vector<node::Sealed> sealed; // and not told
};

} // namespace ckpt
