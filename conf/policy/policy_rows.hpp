// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to conf/policy: every key of a policy file, what it accepts in words, how it gets to its field,
// and from that of a scope to that of a job.
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
    void (*copy)(const Policy& from, Policy& to);
};

// What a scope may state: what is about single jobs. The rest is about nodes and the store that all jobs
// share.
bool may_differ_by_job(const PolicyRow& row);

// Keys of one section are next to each other.
std::span<const PolicyRow> policy_rows();

} // namespace ckpt
