// SPDX-License-Identifier: GPL-2.0-or-later
// The sealed records of an incarnation: what it started from, that it ran to its end, what it failed
// of, or that nothing of it ran on after a generation
// (docs/format.md, "Records").
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "store/names.hpp"
#include "store/seal.hpp"

namespace ckpt::store {

// What the incarnation started from; nothing = from zero. Whatever older incarnations commit later is
// ignored.
struct Adopted {
    std::optional<GenerationId> from;
};

struct Completed {
    std::int32_t wait_status = 0;
    std::int64_t at = 0;                 // Unix seconds
    bool will_be_requeued = false;       // slurmctld will start it once more, against everybody's will
    std::uint32_t newest_generation = 0; // numbers go on from here although the generations may be gone
};

// It ended out of memory or by a fault of the program: its generations stay.
struct Failed {
    enum class How : std::uint8_t { out_of_memory, fault } how = How::out_of_memory;
    std::int32_t wait_status = 0;
    std::int64_t at = 0;            // Unix seconds
    std::uint64_t memory_limit = 0; // of out_of_memory, bytes; 0 = none
    std::uint32_t signal = 0;       // of fault
};

// Its processes stood still from this generation on until they were killed.
struct Stopped {
    std::uint32_t generation = 0;
    std::int64_t at = 0; // Unix seconds
};

enum class RecordState : std::uint8_t { absent, valid, damaged };
template <typename T>
struct Record {
    RecordState state = RecordState::absent;
    T value{};
    std::string why; // damaged
};

Record<Adopted> read_adopted(int dir, const Owner& owner, std::uint32_t incarnation, const SealKey& key);
Status write_adopted(int dir, const Owner& owner, std::uint32_t incarnation, const Adopted& adopted,
                     const SealKey& key);
Status remove_adopted(int dir);

Record<Completed> read_completed(int dir, const Owner& owner, std::uint32_t incarnation, const SealKey& key);
Status write_completed(int dir, const Owner& owner, std::uint32_t incarnation, const Completed& completed,
                       const SealKey& key);

Record<Failed> read_failed(int dir, const Owner& owner, std::uint32_t incarnation, const SealKey& key);
Status write_failed(int dir, const Owner& owner, std::uint32_t incarnation, const Failed& failed,
                    const SealKey& key);

Record<Stopped> read_stopped(int dir, const Owner& owner, std::uint32_t incarnation, const SealKey& key);
Status write_stopped(int dir, const Owner& owner, std::uint32_t incarnation, const Stopped& stopped,
                     const SealKey& key);

} // namespace ckpt::store
