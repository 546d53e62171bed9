// SPDX-License-Identifier: GPL-2.0-or-later
// Policy for one job: what holds for all, with what the scopes that fit the job make different. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.hpp"

namespace ckpt {

// What slurmd's credential says of a job (job_prolog), or what sbatch believes at submit. Empty = not known:
// then no pattern fits, not even `*`.
struct ScopeFacts {
    std::string user;
    std::string account;
    std::string qos;
    std::string partition;  // at submit there may be several, with commas
    std::string constraint; // as given to --constraint
};

// The policy that is in force for the job, without scopes. Of the scopes that fit, the most specific one
// wins, key by key: the one with more kinds of conditions; of two with as many the one that names users
// before one that names accounts, then QOS, partitions, constraints; else the one that comes later.
Policy policy_for(const Policy& policy, const ScopeFacts& job);

bool fits(const ScopeMatch& match, const ScopeFacts& job);

// Whether a scope's choice depends on what has to be asked for: Slurm before 25.05 does not say it in the
// prolog.
bool needs_qos(const Policy& policy);

// "user alice, partition short|debug": the conditions in words.
std::string to_string(const ScopeMatch& match);

} // namespace ckpt
