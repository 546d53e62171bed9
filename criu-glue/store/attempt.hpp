// SPDX-License-Identifier: GPL-2.0-or-later
// A generation on its way: where it is put together, who may do so, and how other nodes know which attempt at
// it they work for (docs/format.md, "Commit").
#pragma once

#include <string>

#include "result/result.hpp"
#include "store/job_at.hpp"
#include "store/names.hpp"

namespace ckpt::store {

// Where a generation's files are until it is complete.
std::string temp_dir(const JobAt& job, GenerationId id);

// A number from 1 to k_generation_max, else Code::internal.
Status check_number(GenerationId id);

// May this incarnation still add this generation? A successor that appears even later is protected by its
// record (choice.hpp). Code::not_permitted when one has taken over or the job has ended.
Status check_place(const JobAt& job, GenerationId id);

// One try to commit a generation whose parts several nodes seal. A number is used again when the first try
// has failed; what a node that was late has sealed for that one is of another cut.
struct Attempt {
    GenerationId id;
    std::string key_id; // what every part is sealed with: nodes may prefer different keys for a while
    std::string nonce;  // 32 hex digits, random
};

// Writes down in the temporary directory, which is there, that an attempt has begun.
Result<Attempt> begin_attempt(const JobAt& job, GenerationId id);

// The attempt that is under way: Code::not_found when there is none, Code::store_corrupt when what is there
// is no record of one at this generation.
Result<Attempt> read_attempt(const JobAt& job, GenerationId id);

} // namespace ckpt::store
