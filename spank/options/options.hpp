// SPDX-License-Identifier: GPL-2.0-or-later
// From where Slurm has our options (callbacks, environment) to a Request, and what to tell the user at
// submit.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/request.hpp"
#include "policy/resolve.hpp"
#include "result/result.hpp"

namespace ckpt {

// getenv() or its like in slurmstepd: the value of a variable, nullptr when it is not set.
using Environment = std::function<const char*(const char* name)>;

// The environment form of every option: "SBATCH_" or "SLURM_" + CHECKPOINT, CHECKPOINT_INTERVAL, … As with
// Slurm's own variables, an empty one counts as set: SBATCH_CHECKPOINT= means --checkpoint. Errors name the
// variable.
Result<Request> request_from_environment(std::string_view prefix, const Environment& environment);

// Options by full name and value, in the order given; a later one replaces an earlier one.
Result<Request> apply_options(const std::vector<std::pair<std::string, std::string>>& options);

// `above` (the command line) over `below` (the environment), field by field.
Request overlay(Request below, const Request& above);

// Options that contradict each other (Code::option_conflict): without checkpoints nothing is gone on from.
Status check_consistent(const Request& request);

// The plan as it looks when submitting; its notes are for the user to read. Advice only: the daemon decides
// from what Slurm vouches for. The error is resolve()'s, or an option that does not go with the method.
Result<Plan> submit_advice(const Request& request, const JobFacts& facts, const Policy& policy);

} // namespace ckpt
