// SPDX-License-Identifier: GPL-2.0-or-later
// mpiexec and mpirun start one process of their own on each node with srun, and talk to it over TCP. On a
// single node that process need not be a task of a step: below mpiexec, in the script's tree, it is
// checkpointed together with it (docs/experiments/mpi-on-one-node.md).
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace ckpt {

// Where in srun's arguments such a process's own command begins, if srun would do no more than run it once;
// else 0. It is such a process if Slurm was told so (--external-launcher, as sbatch arranges: slurm
// src/common/env.c: set_env_from_opts), or by its name.
std::size_t launcher_daemon_at(std::span<const std::string> argv);

} // namespace ckpt
