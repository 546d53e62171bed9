// SPDX-License-Identifier: GPL-2.0-or-later
// The policy: whatever a file says, it is a policy, or one line says where it is none; and every job gets a
// plan from it, or one line.
#include "fuzz.hpp"
#include "policy/policy_yaml.hpp"
#include "policy/resolve.hpp"
#include "policy/scopes.hpp"

using namespace ckpt;

namespace {

void require_plan(const Policy& policy, const std::string& dir) {
    JobFacts facts;
    facts.user = "alice";
    Request request;
    request.enabled = true;
    if (!dir.empty()) request.dir = dir;
    const auto plan = resolve(request, facts, policy);
    if (!plan) return fuzz::require_one_line(one_line(plan.error()));
    for (const Error& note : plan->notes)
        fuzz::require_one_line(one_line(note));
    // A directory of the user's lies below the part of it that an admin has named.
    const std::string top = admins_part(policy, plan->base.value, facts.user);
    fuzz::require(top.starts_with('/') && plan->base.value.starts_with(top));
}

} // namespace

FUZZ_TARGET(std::string_view input) {
    const std::string_view second = fuzz::behind_separator(input);
    const PolicyText files[] = {{"checkpoint.yaml", std::string(input)},
                                {"checkpoint.d/10.yaml", std::string(second)}};
    const auto policy = parse_policies(std::span(files).first(second.empty() ? 1 : 2));
    if (!policy) return fuzz::require_one_line(one_line(policy.error()));
    for (const PolicyScope& scope : policy->scopes)
        fuzz::require_one_line(to_string(scope.match));
    const Policy jobs = policy_for(*policy, {"alice", "phys_a", "high", "short,long", "zen3&gpu*2"});
    require_plan(jobs, {});
    for (const std::string& directory : jobs.limits.directories)
        if (const auto dir = expand_base(directory, "alice")) require_plan(jobs, *dir + "/mine");
}
