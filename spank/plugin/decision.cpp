// SPDX-License-Identifier: GPL-2.0-or-later
#include "decision.hpp"

#include <algorithm>

#include "policy/policy_yaml.hpp"

namespace ckpt {

namespace {

bool states_default(const Result<Policy>& policy) {
    return policy && std::ranges::find(policy->stated, "defaults.enabled") != policy->stated.end();
}

} // namespace

bool on_by_argument(const Settings& settings, const Result<Policy>& policy) {
    return !states_default(policy) && settings.default_on;
}

bool on_by_default(const Settings& settings, const Result<Policy>& policy) {
    return states_default(policy) ? policy->defaults.enabled : settings.default_on;
}

bool is_ours(const GivenOptions& options, const Settings& settings) {
    if (!options.empty()) return request_of(options).asked_for;
    return on_by_default(settings, load_policy(settings.policy));
}

Error heterogeneous_job() {
    return {Code::unsupported_setting, "a heterogeneous job cannot be checkpointed",
            "leave --checkpoint away, or submit its components as jobs of their own", 0};
}

} // namespace ckpt
