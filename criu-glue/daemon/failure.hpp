// SPDX-License-Identifier: GPL-2.0-or-later
// Ends that are no completion: out of memory, a fault of the program. What is said of them, and when the job
// is not restored because it would come to the same end. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "result/result.hpp"

namespace ckpt {

// What the kernel says of the cgroup of a task when it ends.
struct MemoryFacts {
    bool out_of_memory = false; // it has killed a process there for want of memory
    std::uint64_t limit = 0;    // that was hit, bytes; 0 = none: it was the node's memory
};

struct Failure {
    enum class Kind : std::uint8_t { out_of_memory, fault } kind = Kind::out_of_memory;
    std::uint64_t memory_limit = 0; // of out_of_memory, bytes; 0 = none
    int signal = 0;                 // of fault
    bool operator==(const Failure&) const = default;
};

// What the store says of the incarnation before.
struct LastEnd {
    std::optional<Failure> failure;
    bool fault_again = false; // the one before it, from the same generation, had ended by the same fault
};

// An end is a fault when the first process dies of SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT or SIGSYS, or
// exits with 128 + one of them, as a shell does whose last command died so. Out of memory is whatever end
// comes after the kernel's killer, which usually takes a child: the script's own status says little then.
std::optional<Failure> failure_of(int wait_status, const MemoryFacts& memory);

// One line for the job's output. `saved`: the generation it would go on from, 0 = none, or, if
// `kept_unknown`, not known. No line for a fault of a job that has nothing to go on from.
// `again`: the incarnation before came to the same fault from the same generation, so that a requeue would
// hold the job.
std::optional<Error> failure_line(const Failure& failure, std::uint32_t job_id, std::uint32_t saved,
                                  bool kept_unknown, bool again = false);

// Why a job that would be restored from `generation` is held instead, if it is. Once: an incarnation that was
// held has no end on record, so whoever releases the job gives it one more try.
std::optional<Error> same_end_again(const LastEnd& last, std::uint64_t memory_limit, std::uint32_t job_id,
                                    std::uint32_t generation);

} // namespace ckpt
