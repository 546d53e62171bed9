// SPDX-License-Identifier: GPL-2.0-or-later
// Slurm's header of the SPANK interface, which has no guard for C++ around its declarations.
#pragma once

#include <slurm/slurm.h>

#pragma GCC visibility push(default)
extern "C" {
#include <slurm/spank.h>
}
#pragma GCC visibility pop
