// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>

#include "given_options.hpp"
#include "policy/policy.hpp"
#include "policy/scopes.hpp"
#include "settings.hpp"

namespace ckpt {

// Is a job that says nothing checkpointed? A policy that cannot be used states nothing.
bool on_by_default(const Settings& settings, const Result<Policy>& policy, const ScopeFacts& job);

// default=on decides about such a job, not the policy: ckptd, which reads only the policy, has to be told.
bool on_by_argument(const Settings& settings, const Result<Policy>& policy, const ScopeFacts& job);

// Is this job ours? Reads the policy only when the options leave it open. Every context that asks knows the
// user, the account and the partition, on which alone a scope's `enabled` may depend.
// `facts` is called only where a scope's `enabled` decides: looking up a user may take long, or hang, and a
// job that has nothing to do with us must not wait for it.
using AskFacts = std::function<ScopeFacts()>;
bool is_ours(const GivenOptions& options, const Settings& settings, const AskFacts& facts);

// The same in the epilog, which knows none of these (prep_script_slurmd.c:_build_env) but whether sbatch has
// given the job an identity.
bool may_be_ours(const GivenOptions& options, const Settings& settings, bool has_identity);

// Its components are jobs of their own for slurmctld, with one script: a cut through all of them is not made.
Error heterogeneous_job();

} // namespace ckpt
