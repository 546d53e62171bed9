// SPDX-License-Identifier: GPL-2.0-or-later
// What has happened to a job's generations, of those too that are gone: for people who ask how it went.
// Nothing else depends on it (docs/format.md, "History").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "result/result.hpp"
#include "store/job_at.hpp"
#include "store/json_fields.hpp"

namespace ckpt::store {

// The file in the cluster's directory, beside that of the job, which it outlives: "history-4711-UUID".
std::string history_name(const Owner& owner);
// Whose that is; `uid` and `cluster` are not in the name. Nothing for another name.
std::optional<Owner> owner_of_history(std::string_view name, const std::string& cluster, std::uint32_t uid);

// Adds one event. One that does not verify is begun anew; of one that grows too long the oldest generations
// are left out.
Status add_to_history(const JobAt& job, Json event);

// The events, oldest first: an array. Code::store_corrupt when it does not verify.
Result<Json> read_history(const Store& store, const Owner& owner);

// Removes those that nothing was added to for `age` seconds, and what was left of an attempt to write one.
Status sweep_histories(Volume& volume, std::int64_t age, std::int64_t now);

} // namespace ckpt::store
