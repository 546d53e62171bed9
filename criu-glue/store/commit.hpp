// SPDX-License-Identifier: GPL-2.0-or-later
// Makes a dump a generation: all of it, durable and sealed, or nothing (docs/format.md, "Commit").
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "result/result.hpp"
#include "store/job_at.hpp"
#include "store/manifest.hpp"
#include "store/seal_part.hpp"

namespace ckpt::store {

// Parts that other nodes seal meanwhile (seal_elsewhere.hpp). Without any nobody is asked.
struct Elsewhere {
    std::vector<StepPart> parts;
    std::function<Status()> ready; // they can begin
    std::function<Status()> wait;  // until all of them are sealed; an error gives the commit up
};

struct CommitSpec {
    Owner owner;
    GenerationId id;
    std::uint32_t keep = 1; // older generations are pruned afterwards; 0 counts as 1
    std::int64_t taken_at = 0;
    std::string reason;
    std::int64_t since = 0; // manifest.hpp, like `cpus`
    std::uint32_t cpus = 0;
    bool tree_was_stopped = false;
    int compression = 3; // zstd's level
    // The job has saved some before: a directory of it that is missing is a store that is not where it was,
    // and not made anew (Code::store_unwritable).
    bool has_generations = false;
    std::vector<PartSource> parts;
    Elsewhere elsewhere;
    std::vector<ExitedTask> exited;
    std::string step_dir; // manifest.hpp
};

struct CommitDone {
    std::uint64_t stored_bytes = 0;
    std::vector<std::string> notes; // what went wrong after the generation was safe
};

// On failure no trace of the generation stays and the others are as they were: store_full, store_unwritable,
// or not_permitted when a later incarnation has taken the job over or the job has ended; store_corrupt when
// the parts elsewhere are not those that were to come. One commit at a time per job and incarnation: the
// caller sees to that.
Result<CommitDone> commit(const Store& store, const CommitSpec& spec);

} // namespace ckpt::store
