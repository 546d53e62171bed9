// SPDX-License-Identifier: GPL-2.0-or-later
// What several of effects_*.cpp need.
#pragma once

#include <chrono>
#include <cstdint>

#include "job.hpp"
#include "wire/engine_messages.hpp"

namespace ckpt {

// A commit or an unpack of the largest job on a slow file system.
constexpr std::chrono::minutes k_store_limit{30};
// Behind the time that a program has to save itself: for a shim whose user has stopped it.
constexpr std::chrono::seconds k_app_margin{5};
constexpr std::uint64_t k_telling_bytes = 64 << 20; // what is smaller says nothing about a large job

// Bytes per second.
inline double rate(std::uint64_t bytes, std::chrono::duration<double> time) {
    return time.count() > 0 ? static_cast<double>(bytes) / time.count() : 0;
}

inline std::uint32_t milliseconds(Seconds value) {
    return static_cast<std::uint32_t>(value.count() * 1000);
}

wire::Files files_of(const Job& job);
// Of Task::made.
void kill_made_tree(const Packet& made, std::uint32_t uid);
// Of KillWait, for what is done between Slurm's SIGTERM and its SIGKILL.
Seconds forced_end_limit(const Job& job);

// What the parts of it that were dumped on this node need of the one that restores them: to be like this one.
compat::Needs needs_of(const Generation& generation);

} // namespace ckpt
