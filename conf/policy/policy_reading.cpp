// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/policy_reading.hpp"

#include <algorithm>
#include <array>
#include <format>
#include <iterator>
#include <utility>

namespace ckpt {
namespace {

std::string base_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

Status refuse(const PolicyPlace& place, std::string_view what, std::string_view expected) {
    return tl::unexpected(yaml_error(place.file, place.mark, Code::policy_value,
                                     std::format("{}, expected {}", what, expected)));
}

template <typename Exceeds>
Status check_limit(const PolicyReading& reading, std::string_view key, std::string_view limit,
                   Exceeds exceeds) {
    if (!exceeds()) return {};
    if (const PolicyPlace* place = reading.where_stated(key))
        return refuse(*place, std::format("{}: beyond {}", key, limit), "a default within the limits");
    // Of a scope that has lowered the limit below the default of all jobs: that one is capped.
    return {};
}

// A default that its own file's limits forbid is a mistake in one of the two.
Status check_limits(const PolicyReading& reading, const Policy& policy) {
    const PolicyDefaults& defaults = policy.defaults;
    const PolicyLimits& limits = policy.limits;
    CKPT_CHECK(check_limit(reading, "defaults.keep", "limits.max_keep",
                           [&] { return defaults.keep > limits.max_keep; }));
    CKPT_CHECK(check_limit(reading, "defaults.max_restarts", "limits.max_restarts",
                           [&] { return defaults.max_restarts > limits.max_restarts; }));
    return check_limit(reading, "defaults.interval", "limits.min_interval", [&] {
        const auto* interval = std::get_if<Seconds>(&defaults.interval);
        return interval != nullptr && *interval < limits.min_interval;
    });
}

// Nodes have nothing else in common in which they could count.
Status check_admission(const PolicyReading& reading, const Policy& policy) {
    const PolicyPlace* const place = reading.where_stated("admission.commits");
    if (place == nullptr || policy.admission.commits == 0 || !policy.admission.leases.empty()) return {};
    return refuse(*place, "admission.commits: a limit without admission.leases",
                  "a directory that all nodes share in admission.leases");
}

using Patterns = std::vector<std::string> ScopeMatch::*;
constexpr std::array<std::string_view, 5> k_conditions{"partition", "qos", "account", "user", "constraint"};
constexpr std::array<Patterns, 5> k_patterns{&ScopeMatch::partitions, &ScopeMatch::qos, &ScopeMatch::accounts,
                                             &ScopeMatch::users, &ScopeMatch::constraints};

} // namespace

void PolicyReading::state(const std::string& key, PolicyPlace place) {
    const std::string where = std::format("{}:{}", base_name(place.file), place.mark.line);
    const auto known = std::ranges::find(policy.stated, key, &StatedKey::key);
    if (known == policy.stated.end()) {
        policy.stated.push_back({key, where});
        places.push_back(std::move(place));
        return;
    }
    known->where = where;
    places[static_cast<std::size_t>(std::distance(policy.stated.begin(), known))] = std::move(place);
}

const PolicyPlace* PolicyReading::where_stated(std::string_view key) const {
    const auto stated = std::ranges::find(policy.stated, key, &StatedKey::key);
    if (stated == policy.stated.end()) return nullptr;
    return &places[static_cast<std::size_t>(std::distance(policy.stated.begin(), stated))];
}

std::string dotted(const PolicyRow& row) {
    return std::format("{}.{}", row.section, row.key);
}

// A job is ours or not from its first moment on, when Slurm does not always say more (spank/plugin/decision).
Status check_enabled(const PolicyReading& scope) {
    const PolicyPlace* const place = scope.where_stated("defaults.enabled");
    if (place == nullptr || (scope.match.qos.empty() && scope.match.constraints.empty())) return {};
    return refuse(*place, "defaults.enabled: it cannot depend on qos or constraint",
                  "conditions of partition, account and user only");
}

Status check_reading(const PolicyReading& reading, const Policy& together) {
    CKPT_CHECK(check_enabled(reading));
    CKPT_CHECK(check_limits(reading, together));
    return check_admission(reading, together);
}

std::span<const std::string_view> scope_conditions() {
    return k_conditions;
}

std::vector<std::string>* patterns_of(ScopeMatch& match, std::string_view condition) {
    const auto found = std::ranges::find(k_conditions, condition);
    if (found == k_conditions.end()) return nullptr;
    return &(match.*k_patterns.at(static_cast<std::size_t>(std::distance(k_conditions.begin(), found))));
}

bool is_scope_pattern(std::string_view text) {
    constexpr std::size_t k_longest = 256;
    return !text.empty() && text.size() <= k_longest && std::ranges::all_of(text, [](char c) {
        return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != ',';
    });
}

} // namespace ckpt
