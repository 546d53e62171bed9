// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "given_options.hpp"
#include "policy/policy.hpp"
#include "settings.hpp"

namespace ckpt {

// Is a job that says nothing checkpointed? A policy that cannot be used states nothing.
bool on_by_default(const Settings& settings, const Result<Policy>& policy);

// default=on decides about such a job, not the policy: ckptd, which reads only the policy, has to be told.
bool on_by_argument(const Settings& settings, const Result<Policy>& policy);

// Is this job ours? Reads the policy only when the options leave it open.
bool is_ours(const GivenOptions& options, const Settings& settings);

// Its components are jobs of their own for slurmctld, with one script: a cut through all of them is not made.
Error heterogeneous_job();

} // namespace ckpt
