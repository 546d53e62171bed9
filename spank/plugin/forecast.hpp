// SPDX-License-Identifier: GPL-2.0-or-later
// Will the job's checkpoints find room? Said at submit, where more can still be done about it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "policy/policy.hpp"
#include "result/result.hpp"

namespace ckpt {

// What sbatch was asked for, as it writes the values; empty = not asked for.
struct AskedMemory {
    std::string mem;         // --mem, MiB or with a unit
    std::string mem_per_cpu; // likewise
    std::string cpus_per_task;
    std::string tasks;
};
// Bytes on one node; 0 = unknown: what the job may use is a default of the cluster's.
std::uint64_t memory_asked_for(const AskedMemory& asked);

// Of the file system that a directory is on, or will be.
struct RoomThere {
    std::uint64_t free = 0;
    std::uint64_t total = 0;
};
// Nothing when that is not known within `limit`: a file server that hangs must not hold up sbatch. What hangs
// is a child.
std::optional<RoomThere> room_at(const std::string& dir, std::chrono::milliseconds limit);

// What to tell the user of a job that keeps `keep` checkpoints of up to `memory` bytes in `dir`: nothing, or
// that there may not be room for them (Code::store_short).
std::optional<Error> short_store(std::uint32_t keep, std::uint64_t memory, const std::string& dir,
                                 const std::optional<RoomThere>& room, const PolicyRetention& policy);

} // namespace ckpt
