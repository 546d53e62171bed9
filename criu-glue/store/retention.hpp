// SPDX-License-Identifier: GPL-2.0-or-later
// What of a user's may go, and why (docs/format.md, "Retention"). Pure: decided from what look() has found
// (retention_look.hpp), what slurmctld says and the clock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/names.hpp"
#include "store/records.hpp"
#include "volume/volume.hpp"

namespace ckpt::store {

struct StoredGeneration {
    GenerationId id;
    std::int64_t created_at = 0;    // Unix seconds
    std::uint64_t stored_bytes = 0; // that its commit has added
};

// What must be as it was for a removal to go on: a job that starts again, and one that goes on from it, write
// a record before they open a generation.
struct Users {
    std::map<std::uint32_t, Record<Adopted>> started; // by incarnation
    std::vector<Claimed> claims;
    bool operator==(const Users& other) const;
};

// The directory of one job.
struct StoredJob {
    std::string cluster;
    std::string dir_name; // "4711-0a1b2c3d"
    Owner owner;          // as far as it is known: what is sealed for another owner counts as damaged
    std::vector<StoredGeneration> generations; // oldest first
    // What it would go on from: down to the newest that verifies, and what its last start has adopted.
    std::set<GenerationId> needed;
    std::optional<std::int64_t> ended_at; // as its newest incarnation has on record, Unix seconds
    bool ended_for_good = false;          // it ran to its end: nobody wants it to go on
    bool commits = false;                 // a commit is under way, or was killed
    Users users;
    Usage usage;
};

// The jobs that slurmctld has and that have not ended.
struct ActiveJobs {
    struct Range {
        std::uint32_t first = 0;
        std::uint32_t last = 0;
    };
    std::string cluster;       // whose slurmctld
    bool is_complete = false;  // else there may be others: slurmctld was not asked, or did not answer
    std::vector<Range> ranges; // of ids
    [[nodiscard]] bool contains(std::uint32_t job_id) const;
};

struct RetentionRules {
    std::int64_t after_end = 0;   // seconds; 0 = nothing of a job stays when it has ended
    std::int64_t max_age = 0;     // seconds; 0 = no limit
    std::uint64_t user_limit = 0; // bytes of all jobs together; 0 = no limit
};

struct Removal {
    std::size_t job = 0; // index of the job
    GenerationId id;     // generation 0: there was none, only the directory goes
    std::uint64_t bytes = 0;
    std::string reason;
    bool with_directory = false; // the last one of its job: the directory goes as well
    bool is_active = false;      // the job goes on
};

// In the order in which they are to be done; those of a job follow one another. The newest generation of a
// job that is active, or of which that is not known, is not among them, nor is anything of a job that another
// one goes on from. Without complete `active`, a job has ended only if it ran to its end.
std::vector<Removal> decide_retention(const std::vector<StoredJob>& jobs, const ActiveJobs& active,
                                      const RetentionRules& rules, std::int64_t now);

// All that a user's jobs have on disk, bytes.
std::uint64_t stored_bytes(const std::vector<StoredJob>& jobs);

} // namespace ckpt::store
