// SPDX-License-Identifier: GPL-2.0-or-later
// A criu that dies in the middle of a dump leaves threads at code that is not theirs, where the next int3
// would end their process (docs/experiments/criu-killed.md).
#pragma once

#include "tracer/calls.hpp"

namespace ckpt::tracing {

// Stops every thread where criu found it, with its own registers, signal mask and memory. criu must be dead:
// a parasite gives its process back when criu's connection closes.
void bring_home(Threads& threads);

// Lets every thread run on.
void let_go(Threads& threads);

} // namespace ckpt::tracing
