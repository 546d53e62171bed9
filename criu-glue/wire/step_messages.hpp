// SPDX-License-Identifier: GPL-2.0-or-later
// Between srun's stand-in inside a tree and the shim outside, over datagram sockets that are bound to paths
// in a directory of the user's: CRIU restores such a socket (criu-notes in docs/steps.md), where a connection
// to a process outside the tree would be lost. Both ends are the user's; neither believes the other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wire/codec.hpp"

namespace ckpt::wire {

// In the environment of the application: the directory with the sockets.
constexpr const char* k_steps_variable = "SLURM_CHECKPOINT_STEPS";
constexpr const char* k_step_dirs = "/run/ckptd/steps"; // below it one for each job, named by its id
inline std::string step_dir_name(std::uint32_t uid, const std::string& job_id) {
    return std::to_string(uid) + "-" + job_id;
}
// A link to that of the job whose cgroup has this name (os/cgroup.hpp): it tells a process which job it is
// in, whatever its environment says.
inline std::string step_link_name(std::uint32_t uid, const std::string& job_cgroup) {
    return ".job-" + std::to_string(uid) + "-" + job_cgroup;
}
constexpr const char* k_shim_name = "shim"; // of the shim's socket in it

struct ResourceLimit {
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
    template <class V>
    void fields(V& v) {
        v(soft, hard);
    }
};

// What a process passes on to the program that it becomes, without its descriptors. Larger than a datagram
// may be: sent as a file in memory.
struct StepCommand {
    static constexpr std::uint16_t k_type = 70;
    std::string program; // absolute: the real srun
    std::vector<std::string> argv;
    std::vector<std::string> environment;
    std::vector<std::int32_t> descriptors; // the numbers of those that come after file and directory
    std::vector<ResourceLimit> limits;     // by RLIMIT_*
    std::uint64_t ignored = 0;             // signals, bit N-1 = signal N
    std::uint64_t blocked = 0;             // likewise
    std::uint32_t umask = 0;
    std::int32_t nice = 0;
    template <class V>
    void fields(V& v) {
        v(program, argv, environment, descriptors, limits, ignored, blocked, umask, nice);
    }
};

// Stand-in to shim: run it. Descriptors: the file with the StepCommand, the working directory, then those
// that the command has.
struct StepStart {
    static constexpr std::uint16_t k_type = 71;
    template <class V>
    void fields(V&) {}
};
// Stand-in to shim: this signal has come.
struct StepSignal {
    static constexpr std::uint16_t k_type = 72;
    std::int32_t signal = 0;
    template <class V>
    void fields(V& v) {
        v(signal);
    }
};
// Shim to stand-in: the tree was restored, and this shim is another one; say again what is to run. One step
// comes of it, however often it is asked for.
struct StepAgain {
    static constexpr std::uint16_t k_type = 73;
    template <class V>
    void fields(V&) {}
};
// Shim to stand-in: it has ended, or could not be started.
struct StepEnded {
    static constexpr std::uint16_t k_type = 74;
    std::int32_t wait_status = 0;
    std::int32_t errnum = 0; // of the execve that failed; 0 = it was started
    template <class V>
    void fields(V& v) {
        v(wait_status, errnum);
    }
};

} // namespace ckpt::wire
