// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.hpp"
#include "result/result.hpp"

namespace ckpt {

// Parses one policy document (version 1; docs/policy.md). Errors read "FILE:LINE:COL: what, expected …, did
// you mean …". Unknown keys, duplicates, anchors, aliases, several documents, more than 1 MiB or 20 levels:
// refused.
Result<Policy> parse_policy(std::string_view file_name, std::string_view text);

struct PolicyText {
    std::string name; // for errors
    std::string text;
};
// Several documents: a key that a later one states replaces that of an earlier one; scopes are added.
Result<Policy> parse_policies(std::span<const PolicyText> files);

// Reads and parses `path`, and behind it the files *.yaml of its folder of drop-ins in the order of their
// names (bytes), checkpoint.d for checkpoint.yaml. Each is opened once and trusted only if that open file
// belongs to root and is writable by nobody else, and the folder likewise (policy_unreadable otherwise).
// Where nothing is, the defaults of policy.hpp hold. `owner` is root everywhere but in tests.
Result<Policy> load_policy(const std::string& path, uid_t owner = 0);

// Every key that parse_policy accepts: "version", "defaults.enabled", …; the schema and docs/policy.md follow
// it.
std::vector<std::string> policy_keys();

} // namespace ckpt
