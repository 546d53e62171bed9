// SPDX-License-Identifier: GPL-2.0-or-later
// srun gives MPI programs a connection to slurmstepd (--mpi=pmi2, pmix), over which they have found each
// other. It cannot be restored: another slurmstepd knows nothing of it, and ranks of one step, which share
// memory, are trees of their own (docs/experiments/mpi-on-one-node.md).
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "engine/survey.hpp"
#include "result/result.hpp"

namespace ckpt {

// Refuses when a member has the PMI-2 socket that slurmstepd gave the task of this shim.
Status judge_pmi2(pid_t shim, const std::vector<Member>& members);

// The same for a connection that is known to lead outside: is `address` ("127.0.0.1:4711") that of the PMIx
// server which `environment` (task_environment.hpp) names?
bool is_pmix_server(std::string_view environment, const std::string& address);
Error pmix_refusal();

} // namespace ckpt
