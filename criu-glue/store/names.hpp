// SPDX-License-Identifier: GPL-2.0-or-later
// Whose generations, which one, and what their directories are called (docs/format.md, "Layout").
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "result/result.hpp"

namespace ckpt::store {

// Slurm reuses job ids after a reset and shares the UUID between array elements and nested jobs: only
// together do they name one job.
struct Owner {
    std::string cluster;
    std::uint32_t uid = 0;
    std::uint32_t job_id = 0;
    std::string uuid; // 32 lower-case hex digits
    bool operator==(const Owner&) const = default;
};

// Ordered by age: every generation of a later incarnation is newer than those of an earlier one, whatever
// their numbers.
struct GenerationId {
    std::uint32_t incarnation = 0;
    std::uint32_t generation = 0;
    auto operator<=>(const GenerationId&) const = default;
};

constexpr std::uint32_t k_generation_max = 999999; // gen-NNNNNN has six digits

// [A-Za-z0-9._-], no leading dot, at most 128 bytes: cluster names and image files. Safe as a path component
// and in JSON without escapes.
bool is_store_name(std::string_view name);
// Code::internal when the cluster or the UUID could not name a directory: callers validate them before.
Status check_owner(const Owner& owner);

std::string job_dir_name(const Owner& owner);                   // "4711-0a1b2c3d"
std::string incarnation_dir_name(std::uint32_t incarnation);    // "inc-0"
std::string generation_dir_name(std::uint32_t generation);      // "gen-000007"
std::string index_name(std::uint32_t step, std::uint32_t task); // "index-0-1"
std::string part_name(std::uint32_t step, std::uint32_t task);  // "part-0-1"
std::optional<std::uint32_t> incarnation_of(std::string_view name);
std::optional<std::uint32_t> generation_of(std::string_view name);
std::optional<std::uint32_t> job_id_of(std::string_view name); // of a job's directory

// "generation 7 of incarnation 1"
std::string to_text(GenerationId id);

inline constexpr std::string_view k_packs_name = "packs";
inline constexpr std::string_view k_manifest_name = "manifest";
inline constexpr std::string_view k_adopted_name = "adopted";
inline constexpr std::string_view k_completed_name = "completed";
inline constexpr std::string_view k_failed_name = "failed";
inline constexpr std::string_view k_stopped_name = "stopped";
inline constexpr std::string_view k_claimed_name = "claimed";
inline constexpr std::string_view k_begun_name = "begun";
inline constexpr std::string_view k_part_prefix = "part-";
inline constexpr std::string_view k_temp_prefix = ".tmp-";
inline constexpr std::string_view k_trash_prefix = ".trash-";

} // namespace ckpt::store
