// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace ckpt::tracing {

// Traces for criu (preload/ptrace.cpp), whose calls come over `connection`, until criu has ended. The kernel
// lets the tracees of a dead process run wherever they stand; so their tracer is not criu but this process,
// which outlives it and, if criu ended before its time, brings them home. While they stand still, `control`
// gets one byte; they run on when it is answered or closed.
void serve(int connection, int control);

} // namespace ckpt::tracing
