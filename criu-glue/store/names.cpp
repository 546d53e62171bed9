// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/names.hpp"

#include <algorithm>
#include <charconv>
#include <format>

namespace ckpt::store {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_lower_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f');
}
bool is_name_char(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
           c == '-';
}

// The number behind `prefix`, if printing it again gives `name`: one name per number, no "inc-01".
template <typename Print>
std::optional<std::uint32_t> number_behind(std::string_view name, std::string_view prefix, Print print) {
    if (!name.starts_with(prefix)) return std::nullopt;
    const std::string_view digits = name.substr(prefix.size());
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || print(value) != name)
        return std::nullopt;
    return value;
}

} // namespace

bool is_store_name(std::string_view name) {
    return !name.empty() && name.size() <= 128 && name.front() != '.' &&
           std::ranges::all_of(name, is_name_char);
}

Status check_owner(const Owner& owner) {
    if (!is_store_name(owner.cluster))
        return fail(Code::internal, "the cluster's name cannot name a directory");
    if (owner.uuid.size() != 32 || !std::ranges::all_of(owner.uuid, is_lower_hex))
        return fail(Code::internal, "the job's UUID is not 32 lower-case hex digits");
    return {};
}

std::string job_dir_name(const Owner& owner) {
    return std::format("{}-{}", owner.job_id, std::string_view(owner.uuid).substr(0, 8));
}
std::string incarnation_dir_name(std::uint32_t incarnation) {
    return std::format("inc-{}", incarnation);
}
std::string generation_dir_name(std::uint32_t generation) {
    return std::format("gen-{:06}", generation);
}
std::string index_name(std::uint32_t step, std::uint32_t task) {
    return std::format("index-{}-{}", step, task);
}
std::string part_name(std::uint32_t step, std::uint32_t task) {
    return std::format("{}{}-{}", k_part_prefix, step, task);
}

std::optional<std::uint32_t> incarnation_of(std::string_view name) {
    return number_behind(name, "inc-", incarnation_dir_name);
}

std::optional<std::uint32_t> generation_of(std::string_view name) {
    const auto number = number_behind(name, "gen-", generation_dir_name);
    return number && *number <= k_generation_max ? number : std::nullopt;
}

std::optional<std::uint32_t> job_id_of(std::string_view name) {
    std::uint32_t job = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), job);
    const std::string_view rest(end, static_cast<std::size_t>(name.data() + name.size() - end));
    if (error != std::errc() || rest.size() != 9 || rest.front() != '-' ||
        !std::ranges::all_of(rest.substr(1), is_lower_hex))
        return std::nullopt;
    return job;
}

std::string to_text(GenerationId id) {
    return std::format("generation {} of incarnation {}", id.generation, id.incarnation);
}

} // namespace ckpt::store
