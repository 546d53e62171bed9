// SPDX-License-Identifier: GPL-2.0-or-later
// What a generation consists of (docs/format.md, "Manifest"). The manifest is the generation: what it does
// not name does not exist, and without it nothing does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compat/needs.hpp"
#include "result/result.hpp"
#include "store/images.hpp"
#include "store/job_at.hpp"
#include "store/names.hpp"

namespace ckpt::store {

constexpr std::uint64_t k_format = 2;
// Parsed before its seal can be checked, when its owner is not known: the key depends on the whole UUID and
// the uid, which only the manifest tells. So it is short and not deep; the parser neither recurses nor
// throws, and takes a bounded multiple of this in memory, and of its time
// (tests/unit/store_tamper_test.cpp feeds it with nonsense). 2 KiB for each of a job's 2048 tasks
// (wire/worker.hpp): so much says of one of 4 GiB in 16 packs what it consists of.
constexpr std::size_t k_manifest_max = std::size_t{4} << 20U;

// One task's images.
struct PartEntry {
    std::uint32_t step_id = 0;
    std::uint32_t task_id = 0;
    std::string node;
    std::uint64_t frozen_us = 0;
    std::uint64_t image_bytes = 0;
    std::uint32_t processes = 0;
    std::string criu_version;
    ImagesEntry images;
    // Of a step's task: which srun of the script it belongs to, a random number that outlives Slurm's step
    // ids. 0 = of the batch script.
    std::uint64_t stand_in = 0;
    // Of the node that restores it; unknown in what earlier releases have written.
    // NOLINTNEXTLINE(readability-redundant-member-init): GCC warns of aggregates without it
    compat::Needs needs{};
};

// Which part that is.
struct StepPart {
    std::uint64_t stand_in = 0;
    std::uint32_t step_id = 0;
    std::uint32_t task_id = 0;
    bool operator==(const StepPart&) const = default;
};

// A task of a step that had ended at the cut, while others of it ran.
struct ExitedTask {
    std::uint64_t stand_in = 0;
    std::uint32_t task_id = 0;
    std::int32_t wait_status = 0;
    bool operator==(const ExitedTask&) const = default;
};

struct Manifest {
    Owner owner;
    GenerationId id;
    std::string key_id;
    std::int64_t created_at = 0; // Unix seconds: when it was written
    std::int64_t taken_at = 0;   // Unix seconds: the cut
    std::int64_t since = 0;      // Unix seconds: when the incarnation started; 0 = not known
    std::uint32_t cpus = 0;      // allocated to the job; 0 = not known
    std::string reason;
    bool tree_was_stopped = false;
    std::uint64_t stored_bytes = 0; // that its commit has added, without the manifest
    std::vector<PartEntry> parts;
    std::vector<ExitedTask> exited;
    std::string step_dir; // name of the directory where srun's stand-ins were bound; "" = there were none

    // nullptr when the generation has no such part.
    [[nodiscard]] const PartEntry* part(std::uint32_t step_id, std::uint32_t task_id) const;
    [[nodiscard]] const PartEntry* part_of(std::uint64_t stand_in, std::uint32_t task_id) const;
};

// Code::internal when the same task is there twice, or the directory's name is none.
Status check_tasks(const Manifest& manifest);

// One line of JSON, always the same for the same manifest.
std::string to_json(const Manifest& manifest);

// Only for text whose seal has been verified, except to learn whom it claims to belong to.
// Code::store_corrupt for anything that to_json could not have written; members it does not know are ignored.
Result<Manifest> parse_manifest(std::string_view json);

// The manifest of a generation, sealed for exactly this place; else Code::store_corrupt. Code::not_found
// when the generation is not there (any more), Code::os when it cannot be read.
Result<Manifest> verified_manifest(const JobAt& job, GenerationId id);

// There is no manifest: Code::store_corrupt if the generation is there, Code::not_found if it has gone too.
tl::unexpected<Error> missing_manifest(Volume& volume, const std::string& generation_dir);

// What a manifest says of itself, in both its copies as far as they can be read, one if they say the same:
// for when its keys are not known yet, or its seal cannot be checked. Code::store_corrupt when neither can.
Result<std::vector<Manifest>> claimed_manifests(Volume& volume, const std::string& generation_dir);

} // namespace ckpt::store
