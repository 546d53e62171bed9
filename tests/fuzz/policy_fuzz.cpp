// SPDX-License-Identifier: GPL-2.0-or-later
// The policy: whatever a file says, it is a policy, or one line says where it is none.
#include "fuzz.hpp"
#include "policy/policy_yaml.hpp"
#include "policy/resolve.hpp"

using namespace ckpt;

FUZZ_TARGET(std::string_view input) {
    const std::string_view second = fuzz::behind_separator(input);
    const PolicyText files[] = {{"checkpoint.yaml", std::string(input)},
                                {"checkpoint.d/10.yaml", std::string(second)}};
    const auto policy = parse_policies(std::span(files).first(second.empty() ? 1 : 2));
    if (!policy) fuzz::require_one_line(one_line(policy.error()));
}
