// SPDX-License-Identifier: GPL-2.0-or-later
// What slurmctld knows of a job, as ckpt-slurmctld prints it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "result/result.hpp"

namespace ckpt::cli {

struct SlurmJob {
    std::uint32_t id = 0;
    std::string state;                 // ckpt-slurmctld's word for it (spank/slurmctld/cause.cpp)
    std::optional<std::uint32_t> task; // its index, of an element of an array
    std::string name;
    std::uint32_t uid = 0; // of its user
};

// The line "76 ended 3 UID NAME"; nothing when it is something else.
std::optional<SlurmJob> parse_job(const std::string& line);

// Of "76" or "74_3"; nothing when slurmctld does not know it, or does not answer.
std::optional<SlurmJob> ask_slurm(const std::string& job);

// "it is pending", "it has ended": that state in a sentence.
std::string state_text(const SlurmJob& job);

// It waits, runs, or is just ending.
bool is_live(const SlurmJob& job);

} // namespace ckpt::cli
