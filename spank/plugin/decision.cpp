// SPDX-License-Identifier: GPL-2.0-or-later
#include "decision.hpp"

#include <algorithm>

#include "policy/policy_yaml.hpp"

namespace ckpt {

namespace {

bool states_default(const Policy& policy) {
    return std::ranges::find(policy.stated, "defaults.enabled", &StatedKey::key) != policy.stated.end();
}

bool scope_states_default(const Policy& policy) {
    return std::ranges::any_of(policy.scopes,
                               [](const PolicyScope& scope) { return states_default(scope.values); });
}

bool scope_enables(const Policy& policy) {
    return std::ranges::any_of(policy.scopes, [](const PolicyScope& scope) {
        return states_default(scope.values) && scope.values.defaults.enabled;
    });
}

} // namespace

bool on_by_argument(const Settings& settings, const Result<Policy>& policy, const ScopeFacts& job) {
    return settings.default_on && !(policy && states_default(policy_for(*policy, job)));
}

bool on_by_default(const Settings& settings, const Result<Policy>& policy, const ScopeFacts& job) {
    if (!policy) return settings.default_on;
    const Policy in_force = policy_for(*policy, job);
    return states_default(in_force) ? in_force.defaults.enabled : settings.default_on;
}

bool is_ours(const GivenOptions& options, const Settings& settings, const AskFacts& facts) {
    if (!options.empty()) return request_of(options).asked_for;
    const auto policy = load_policy(settings.policy);
    const bool asks = policy && facts && scope_states_default(*policy);
    return on_by_default(settings, policy, asks ? facts() : ScopeFacts{});
}

bool may_be_ours(const GivenOptions& options, const Settings& settings, bool has_identity) {
    if (!options.empty()) return request_of(options).asked_for;
    const auto policy = load_policy(settings.policy);
    return on_by_default(settings, policy, {}) || (policy && has_identity && scope_enables(*policy));
}

Error heterogeneous_job() {
    return {Code::unsupported_setting, "a heterogeneous job cannot be checkpointed",
            "leave --checkpoint away, or submit its components as jobs of their own", 0};
}

} // namespace ckpt
