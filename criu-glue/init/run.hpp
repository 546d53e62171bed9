// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace ckpt {

// `ckpt-init run --mask HEX -- PROGRAM ARGV0 ARGS…`: the root of an application's tree, as the user.
//
// HEX is the signal mask the application starts with (bit N-1 = signal N, as SigBlk in /proc/PID/status). The
// caller leaves the application's stdio in 0, 1 and 2 and the status pipe in wire::k_status_fd. Reports and
// signals are those of wire/init_protocol.hpp. Returns the exit status of ckpt-init.
int run(int argc, char** argv);

} // namespace ckpt
