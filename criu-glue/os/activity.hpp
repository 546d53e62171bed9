// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a process that passes data on has passed on all that it has: slurmstepd and srun move a step's
// streams, and do not say what they still hold.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>

#include "result/result.hpp"

namespace ckpt {

// The bytes on their way of all TCP sockets of a network namespace, read once however many processes are
// looked at.
class TcpQueues {
public:
    // Whether one of the sockets `own` (inodes) has some; `proc`: /proc/PID of a process in the namespace.
    // True when it cannot be told, as with a table of very many connections.
    bool have_bytes(int proc, const std::set<std::uint64_t>& own);
    // Whether one of them is connected; false when it cannot be told.
    bool are_connected(int proc, const std::set<std::uint64_t>& own);

private:
    struct Table {
        bool known = false;
        std::set<std::uint64_t> busy;      // inodes of sockets with bytes
        std::set<std::uint64_t> connected; // of established ones
    };
    const Table* table_of(int proc);
    std::map<std::uint64_t, Table> m_tables; // by namespace
};

struct Activity {
    bool at_rest = false;   // every thread sleeps, and no TCP connection has bytes on their way
    bool connected = false; // it has a TCP connection
    // Of all its threads, so far: the same later means that none has run meanwhile.
    std::uint64_t switches = 0;
    bool operator==(const Activity&) const = default;
};

// A process whose loop waits in poll(2) only when it has nothing to do is empty when it is at rest twice with
// the same number of switches, and nothing came in between. One that has ended is at rest; one with very many
// threads or descriptors is not: it is no slurmstepd and no srun.
Result<Activity> activity_of(pid_t pid, TcpQueues& queues);

} // namespace ckpt
