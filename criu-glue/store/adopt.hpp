// SPDX-License-Identifier: GPL-2.0-or-later
// What an incarnation starts from (docs/format.md, "Adoption").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compat/needs.hpp"
#include "result/result.hpp"
#include "store/choice.hpp"
#include "store/job_at.hpp"
#include "store/manifest.hpp"
#include "store/retention.hpp"

namespace ckpt::store {

struct AdoptSpec {
    Owner owner;
    std::uint32_t incarnation = 0;
    std::uint32_t step_id = 0;          // of the task that stands for the script
    std::optional<GenerationId> before; // only what is older than this
    int target = -1;                    // empty directory that takes the images
    // The generation whose images this node still has; they are not read again when it is chosen.
    std::optional<GenerationId> here;
    // Go on from another job of the same user, the first time: its newest generation, or that of this number.
    std::uint32_t other_job = 0;
    std::uint32_t other_generation = 0;
    // With other_job: the user's jobs that have not ended. Where slurmctld has not said which, why not.
    ActiveJobs unfinished;
    std::string why_unknown;
    compat::Node node; // that is to restore it
};

enum class Found : std::uint8_t {
    nothing, // start fresh: no generation of this job, or the adopted one has no such part (then `id` names
             // it)
    generation, // verified and unpacked
    completed,  // the job ran to its end: start fresh, never restore
    unusable    // generations exist, none may be used here; nothing was adopted
};

struct Adoption {
    Found found = Found::nothing;
    GenerationId id;
    std::uint32_t of_job = 0; // `id` is one of another job
    bool is_here = false;     // nothing was unpacked: it is what the caller has (AdoptSpec::here)
    std::int64_t taken_at = 0;
    std::int64_t since = 0; // manifest.hpp, like `cpus`
    std::uint32_t cpus = 0;
    std::string node; // that took the part
    bool tree_was_stopped = false;
    std::uint32_t newest_generation = 0;
    std::uint32_t adopted_before = 0; // incarnations in a row, up to this one, that started from it too
    bool end_again = false; // of `completed`: slurmctld has started it once more, against everybody's will
    std::int32_t wait_status = 0;     // how it had ended
    LastFailure last_failure;         // of the incarnation before
    std::vector<std::string> skipped; // one line per generation that was passed over
    std::vector<StepPart> steps;      // parts of steps that it has besides; to be had with unpack_part()
    std::vector<ExitedTask> exited;
    std::string step_dir; // manifest.hpp
};

// Verifies, unpacks and durably records. An error means that the question could not be answered (the store
// cannot be read or the record not be written, the local directory is full): nothing is adopted then, and
// nothing may be started from zero because of it. So it is with Code::node_unfit, before anything was
// unpacked: the newest generation that verifies needs what `node` does not have.
Result<Adoption> adopt(const Store& store, const AdoptSpec& spec);

// Tells the job's history what `incarnation` has started from, on `node`.
Status note_adoption(const Store& store, const AdoptSpec& spec, const Adoption& adoption,
                     const std::string& node);

struct PartSpec {
    Owner owner;
    std::uint32_t incarnation = 0; // has adopted `id`
    GenerationId id;
    std::uint64_t stand_in = 0;
    std::uint32_t task_id = 0;
    int target = -1;     // empty directory that takes the images
    compat::Node node{}; // NOLINT(readability-redundant-member-init): GCC warns of aggregates without it
};

// One more part of what an incarnation has adopted; nothing stays in `target` when it fails.
// Code::store_corrupt when that does not verify (any more), is another one than `id`, or has no such part;
// Code::node_unfit.
Status unpack_part(const Store& store, const PartSpec& spec);

} // namespace ckpt::store
