// SPDX-License-Identifier: GPL-2.0-or-later
// criu's calls, carried out for it, with a note of what each of them takes from a thread.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "tracer/protocol.hpp"
#include "tracer/thread.hpp"

namespace ckpt::tracing {

using Threads = std::map<pid_t, Thread>; // every one that this process traces

// A ptrace(2). `addr` and `data` are the bytes behind the call's pointers, there and back.
Answer carry_out(const Call& call, std::string& addr, std::string& data, Threads& threads);

// Takes the stop or the end of thread `tid`, -1: of any, that has happened and that criu is to know of.
// Returns at once; 0: none. -1: nothing like it is traced (errno).
pid_t take_stop(Threads& threads, pid_t tid, int options, int& status);

// Lets the daemons run on that have stopped unknown to criu; other stops are kept for take_stop(). False: one
// of them has failed.
bool attend_daemons(Threads& threads);

// Keeps criu's end of the connection to the daemon that was started last.
void keep_open(Threads& threads, Fd connection);

} // namespace ckpt::tracing
