// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to conf/policy: every key of a policy file, what it accepts in words, and how it gets to its
// field.
#pragma once

#include <span>
#include <string_view>

#include "policy/policy.hpp"
#include "policy/yaml_document.hpp"
#include "result/result.hpp"

namespace ckpt {

struct PolicyRow {
    std::string_view section;
    std::string_view key;
    std::string_view expected; // "a number from 1 to 1000"
    Status (*set)(const YamlNode&, Policy&);
};

// Keys of one section are next to each other.
std::span<const PolicyRow> policy_rows();

} // namespace ckpt
