// SPDX-License-Identifier: GPL-2.0-or-later
#include "decision.hpp"

#include <algorithm>

#include "policy/policy_yaml.hpp"

namespace ckpt {

bool on_by_default(const Settings& settings, const Result<Policy>& policy) {
    if (!policy || std::ranges::find(policy->stated, "defaults.enabled") == policy->stated.end())
        return settings.default_on;
    return policy->defaults.enabled;
}

bool is_ours(const GivenOptions& options, const Settings& settings) {
    if (!options.empty()) return request_of(options).asked_for;
    return on_by_default(settings, load_policy(settings.policy));
}

} // namespace ckpt
