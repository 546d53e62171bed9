// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to conf/policy: what has been read of policy files, all of it or of one scope, with the places of
// its values, and what one value demands of another.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.hpp"
#include "policy/policy_rows.hpp"
#include "policy/yaml_document.hpp"
#include "result/result.hpp"

namespace ckpt {

struct PolicyPlace {
    std::string file;
    YamlMark mark;
};

struct PolicyReading {
    bool is_scope = false;
    ScopeMatch match; // of a scope
    Policy policy;
    std::vector<PolicyPlace> places; // of policy.stated

    // A later file's word replaces an earlier one's.
    void state(const std::string& key, PolicyPlace place);
    [[nodiscard]] const PolicyPlace* where_stated(std::string_view key) const; // nullptr: it is not
};

std::string dotted(const PolicyRow& row); // "defaults.keep"

// `together`: the reading, with what applies to all jobs below it. What is stated in the reading is at fault.
Status check_reading(const PolicyReading& reading, const Policy& together);

// The kinds of conditions of `match`, as they are spelled, and where their patterns go; nullptr: no such
// kind.
std::span<const std::string_view> scope_conditions();
std::vector<std::string>* patterns_of(ScopeMatch& match, std::string_view condition);
bool is_scope_pattern(std::string_view text);

} // namespace ckpt
