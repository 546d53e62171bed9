// SPDX-License-Identifier: GPL-2.0-or-later
// Questions to slurmctld through the one-shot helper ckpt-slurmctld: libslurm never enters this process.
#pragma once

#include <functional>
#include <string>

#include "state.hpp"
#include "worker.hpp"

namespace ckpt {

// Why the job is ending. Answers Cause::unknown after three seconds, or when slurmctld cannot say.
void ask_cause(Workers& workers, std::uint32_t job_id, std::function<void(Cause)> done);

// Requeues the job held, with `reason` where `scontrol show job` displays it.
void hold_job(Workers& workers, std::uint32_t job_id, const std::string& reason,
              std::function<void(std::optional<Error>)> done);

// The first word that `ckpt-slurmctld cause` prints.
Cause cause_of(const std::string& answer);

} // namespace ckpt
