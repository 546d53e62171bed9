// SPDX-License-Identifier: GPL-2.0-or-later
#include "failure.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <format>

#include "policy/values.hpp"
#include "text/text.hpp"

namespace ckpt {

namespace {

constexpr std::array k_faults{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
constexpr int k_shell_base = 128;
constexpr std::uint64_t k_mib = 1 << 20;

std::optional<int> fault_of(int wait_status) {
    int signal = 0;
    if (WIFSIGNALED(wait_status)) signal = WTERMSIG(wait_status);
    if (WIFEXITED(wait_status)) signal = WEXITSTATUS(wait_status) - k_shell_base;
    if (std::ranges::find(k_faults, signal) == k_faults.end()) return std::nullopt;
    return signal;
}

// Of a job that is pending; what has ended cannot be changed (job_mgr.c:_update_job).
std::string raise_command(std::uint32_t job_id, std::uint64_t limit) {
    return std::format("`scontrol update JobId={} MinMemoryNode={}`", job_id, 2 * (limit / k_mib));
}

std::string how_to_go_on(const Failure& failure, std::uint32_t job_id, bool again) {
    if (again)
        return std::format(
            "`scontrol requeue {0}` holds it, `scontrol release {0}` then tries again from there", job_id);
    if (failure.kind == Failure::Kind::fault || failure.memory_limit == 0)
        return std::format("`scontrol requeue {}` goes on from there", job_id);
    return std::format("to go on from there with, say, twice the memory: `scontrol requeuehold {}`, {}, "
                       "`scontrol release {}`",
                       job_id, raise_command(job_id, failure.memory_limit), job_id);
}

std::string what_happened(const Failure& failure) {
    if (failure.kind == Failure::Kind::fault) return "the program died of SIG" + signal_name(failure.signal);
    if (failure.memory_limit == 0) return "the job ran out of memory, of which the node had no more";
    return std::format("the job ran out of memory (limit {})", text::bytes(failure.memory_limit));
}

} // namespace

std::optional<Failure> failure_of(int wait_status, const MemoryFacts& memory) {
    if (memory.out_of_memory) return Failure{Failure::Kind::out_of_memory, memory.limit, 0};
    if (const auto signal = fault_of(wait_status)) return Failure{Failure::Kind::fault, 0, *signal};
    return std::nullopt;
}

std::optional<Error> failure_line(const Failure& failure, std::uint32_t job_id, std::uint32_t saved,
                                  bool kept_unknown, bool again) {
    const bool fault = failure.kind == Failure::Kind::fault;
    Error line{fault ? Code::program_fault : Code::out_of_memory, what_happened(failure), "", 0};
    if (saved > 0 || kept_unknown) {
        line.what += saved > 0 ? std::format(", generation {} is kept", saved) : ", its checkpoints are kept";
        line.hint = how_to_go_on(failure, job_id, again && fault);
        return line;
    }
    if (fault) return std::nullopt;
    line.what += ", no checkpoint was saved";
    line.hint = "submit it again with more memory (`--mem`)";
    return line;
}

std::optional<Error> same_end_again(const LastEnd& last, std::uint64_t memory_limit, std::uint32_t job_id,
                                    std::uint32_t generation) {
    if (!last.failure) return std::nullopt;
    const Failure& failure = *last.failure;
    if (failure.kind == Failure::Kind::fault) {
        if (!last.fault_again) return std::nullopt;
        return Error{Code::program_fault,
                     std::format("the program died of SIG{} again after generation {}, without getting to a "
                                 "new one",
                                 signal_name(failure.signal), generation),
                     std::format("`scontrol release {}` tries again", job_id), 0};
    }
    // The node's own memory is another matter each time.
    const bool has_more = memory_limit == 0 || memory_limit > failure.memory_limit;
    if (failure.memory_limit == 0 || has_more) return std::nullopt;
    return Error{
        Code::out_of_memory,
        std::format("the job ran out of memory at its limit of {} and has no more now ({})",
                    text::bytes(failure.memory_limit), text::bytes(memory_limit)),
        std::format(
            "raise its MinMemoryNode to {} with scontrol update, then `scontrol release {}` goes on from "
            "generation {}; a release alone gives it one more try",
            2 * (failure.memory_limit / k_mib), job_id, generation),
        0};
}

} // namespace ckpt
