// SPDX-License-Identifier: GPL-2.0-or-later
// Named places where a test build goes wrong when it is told to (tests/run faults). Any other build has
// nothing of it, not even the names.
//
// A place is told by a file in k_dir that has its name and holds one word: crash, hang, slow, or the name of
// an errno. Whoever removes the file is struck: one file is one fault. It is noted in k_struck as "PLACE WORD
// JOBID", with "-" in a process of no job. What hangs goes on when there is a file k_released.
//
// Besides, all of time(2) in our processes is off by as many seconds as the file k_clock says.
#pragma once

#include "fault_build.hpp" // CKPT_FAULTS: 1 in a test build for faults, else 0

#if CKPT_FAULTS

#include <cerrno>

namespace ckpt::fault {

inline constexpr const char* k_dir = "/run/ckpt-faults/";
inline constexpr const char* k_struck = "/run/ckpt-faults/struck";
inline constexpr const char* k_released = "/run/ckpt-faults/released";
inline constexpr const char* k_clock = "/run/ckpt-faults/clock";

// The errno with which `place` is to fail, 0 when it is not or was only slow. Does not return where the
// process is to crash. Leaves errno alone.
int at(const char* place);

// Whether `place` is to fail; errno is then set.
bool fails(const char* place);

} // namespace ckpt::fault

// Right before a call that may fail, in a function that returns Status or Result (result/result.hpp).
#define CKPT_FAULT(place)                                                                                    \
    do {                                                                                                     \
        if (const int ckpt_errnum = ::ckpt::fault::at(place); ckpt_errnum != 0)                              \
            return ::ckpt::fail_errno(ckpt_errnum == ENOSPC ? ::ckpt::Code::store_full : ::ckpt::Code::os,   \
                                      "fault at " place, ckpt_errnum);                                       \
    } while (false)
// Where nothing can fail, but the process may end, or take its time.
#define CKPT_FAULT_IN_TIME(place) static_cast<void>(::ckpt::fault::at(place))
// In place of a system call: CKPT_FAULTED(place) ? -1 : ::send(…)
#define CKPT_FAULTED(place) ::ckpt::fault::fails(place)

#else

#define CKPT_FAULT(place) static_cast<void>(0)
#define CKPT_FAULT_IN_TIME(place) static_cast<void>(0)
#define CKPT_FAULTED(place) false

#endif
