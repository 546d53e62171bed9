// SPDX-License-Identifier: GPL-2.0-or-later
// The sealed records of an incarnation: what it started from, that it ran to its end, what it failed
// of, that nothing of it ran on after a generation, or which other jobs go on from it
// (docs/format.md, "Records").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/job_at.hpp"
#include "store/names.hpp"

namespace ckpt::store {

// Another job of the same user, which a job may go on from (--checkpoint-restore=JOBID).
struct OtherJob {
    std::uint32_t job_id = 0;
    std::string uuid;
    bool operator==(const OtherJob&) const = default;
};

// What the incarnation started from; nothing = from zero. Whatever older incarnations commit later is
// ignored.
struct Adopted {
    std::optional<GenerationId> from;
    std::optional<OtherJob> of; // `from` is one of that job's
    bool operator==(const Adopted&) const = default;
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

// Another job of the user's goes on from this one, and needs its generations.
struct Claimed {
    std::uint32_t by_job = 0;
    std::int64_t at = 0; // Unix seconds
    bool operator==(const Claimed&) const = default;
};

enum class RecordState : std::uint8_t { absent, valid, damaged };
template <typename T>
struct Record {
    RecordState state = RecordState::absent;
    T value{};
    std::string why; // damaged
    // Of a damaged one: the store could not be read, and nobody knows what the record is like (damage.hpp).
    std::optional<Error> unread{};
};

// The incarnation's directory has to exist for what is written.
Record<Adopted> read_adopted(const JobAt& job, std::uint32_t incarnation);
Status write_adopted(const JobAt& job, std::uint32_t incarnation, const Adopted& adopted);
Status remove_adopted(const JobAt& job, std::uint32_t incarnation);

Record<Completed> read_completed(const JobAt& job, std::uint32_t incarnation);
Status write_completed(const JobAt& job, std::uint32_t incarnation, const Completed& completed);

Record<Failed> read_failed(const JobAt& job, std::uint32_t incarnation);
Status write_failed(const JobAt& job, std::uint32_t incarnation, const Failed& failed);

Record<Stopped> read_stopped(const JobAt& job, std::uint32_t incarnation);
Status write_stopped(const JobAt& job, std::uint32_t incarnation, const Stopped& stopped);

// One record for each job that claims: `claimed-N`.
std::optional<std::uint32_t> claimant_of(std::string_view file_name);
Record<Claimed> read_claimed(const JobAt& job, std::uint32_t incarnation, std::uint32_t by_job);
Status write_claimed(const JobAt& job, std::uint32_t incarnation, const Claimed& claimed);
Status remove_claimed(const JobAt& job, std::uint32_t incarnation, std::uint32_t by_job);

} // namespace ckpt::store
