// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/policy_yaml.hpp"
#include "policy/scopes.hpp"

namespace ckpt {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

Policy policy_of(const std::string& scopes) {
    auto policy = parse_policy("p.yaml", "version: 1\nscopes:\n" + scopes);
    EXPECT_TRUE(policy) << policy.error().what;
    return policy.value_or(Policy{});
}

std::string error_of(const std::string& text) {
    const auto policy = parse_policy("p.yaml", "version: 1\n" + text);
    return policy ? "none" : one_line(policy.error());
}

const ScopeFacts k_job{"alice", "phys_a", "high", "short", "zen3&gpu*2"};

TEST(Scopes, AllConditionsHaveToHold) {
    const ScopeMatch all{{"alice"}, {"phys_*"}, {"low", "high"}, {"short"}, {"zen3"}};
    EXPECT_TRUE(fits(all, k_job));
    for (const auto& [part, value] : {std::pair{&ScopeFacts::user, "bob"},
                                      {&ScopeFacts::account, "chem_a"},
                                      {&ScopeFacts::qos, "higher"},
                                      {&ScopeFacts::partition, "shorter"},
                                      {&ScopeFacts::constraint, "zen4"},
                                      {&ScopeFacts::qos, ""}}) {
        ScopeFacts other = k_job;
        other.*part = value;
        EXPECT_FALSE(fits(all, other)) << value;
    }
    EXPECT_FALSE(fits({{}, {}, {"*"}, {}, {}}, {})) << "what is not known fits nothing";
    EXPECT_TRUE(fits({}, {}));
}

TEST(Scopes, EachWordOfAConstraintAndEachPartition) {
    for (const char* feature : {"zen3", "gpu", "g*"})
        EXPECT_TRUE(fits({{}, {}, {}, {}, {feature}}, k_job)) << feature;
    EXPECT_FALSE(fits({{}, {}, {}, {}, {"2"}}, k_job)) << "a count is no feature";
    ScopeFacts several = k_job;
    several.constraint = "[rack1*2|rack2]";
    several.partition = "long,short";
    EXPECT_TRUE(fits({{}, {}, {}, {"short"}, {"rack2"}}, several));
}

TEST(Scopes, TheMostSpecificOneWins) {
    const Policy policy =
        policy_of("- {match: {user: alice}, defaults: {keep: 3}}\n"
                  "- {match: {partition: short, qos: high}, defaults: {keep: 4, interval: 15m}}\n"
                  "- {match: {partition: short}, defaults: {keep: 5, interval: 30m, files: copy}}\n"
                  "- {match: {partition: '*'}, defaults: {files: none}}\n");
    const Policy all = policy_for(policy, k_job);
    EXPECT_EQ(all.defaults.keep, 4U) << "two conditions before one";
    EXPECT_EQ(all.defaults.interval, Interval{Seconds{15min}});
    EXPECT_EQ(all.defaults.files, FilesMode::none) << "the later one of two that are alike";
    EXPECT_TRUE(all.scopes.empty());
    ScopeFacts job = k_job;
    job.qos = "low";
    EXPECT_EQ(policy_for(policy, job).defaults.keep, 3U) << "a user before a partition";
    job.user = "bob";
    EXPECT_EQ(policy_for(policy, job).defaults.keep, 5U);
    job.partition = "long";
    EXPECT_EQ(policy_for(policy, job).defaults.keep, PolicyDefaults{}.keep);
    EXPECT_EQ(policy.defaults.keep, PolicyDefaults{}.keep);
}

TEST(Scopes, SayWhereAValueComesFrom) {
    const Policy policy =
        policy_of("- match: {partition: [short, debug], user: alice}\n  limits:\n    max_keep: 3\n");
    const Policy job = policy_for(policy, k_job);
    ASSERT_EQ(job.stated.size(), 1U);
    EXPECT_EQ(job.stated[0].key, "limits.max_keep");
    EXPECT_EQ(job.stated[0].where, "p.yaml:5 (user alice, partition short|debug)");
}

TEST(Scopes, AreOfJobsOnly) {
    const Policy all = policy_of(
        "- match: {qos: q}\n"
        "  defaults: {keep: 3}\n  limits: {min_interval: 2m}\n  auto: {first: 3m}\n"
        "  time_limit: {safety: 2}\n  app: {patience: 9m}\n"
        "  failure: {restore_impossible: requeue-elsewhere, changed_file: ignore, no_progress: 2}\n");
    EXPECT_TRUE(needs_qos(all));
    const Policy job = policy_for(all, {"", "", "q", "", ""});
    EXPECT_EQ(job.limits.min_interval, 2min);
    EXPECT_EQ(job.automatic.first, 3min);
    EXPECT_DOUBLE_EQ(job.time_limit.safety, 2);
    EXPECT_EQ(job.app.patience, 9min);
    EXPECT_EQ(job.failure.no_progress, 2U);
    for (const char* section :
         {"storage: {base: /x}", "limits: {directories: [/x]}", "retention: {every: 1d}",
          "admission: {dumps: 3}", "engine: {criu: /x}", "slurmctld: {comment: true}",
          "network: {port: 7000}", "compat: {kernel: any}", "failure: {epilog_wait: 1m}",
          "maintenance: {jobs: 3}"})
        EXPECT_THAT(error_of("scopes:\n- match: {user: a}\n  " + std::string(section) + "\n"),
                    HasSubstr("is the same for all jobs: it cannot be in a scope"))
            << section;
}

TEST(Scopes, AreRefusedWithTheirPlace) {
    const std::string scope = "scopes:\n- match: {user: a}\n  ";
    EXPECT_THAT(error_of("scopes: {}\n"), HasSubstr("p.yaml:2:9: scopes: not a list"));
    EXPECT_THAT(error_of("scopes: [1]\n"), HasSubstr("p.yaml:2:10: a scope without match"));
    EXPECT_THAT(error_of("scopes: [{defaults: {keep: 2}}]\n"), HasSubstr("a scope without match"));
    EXPECT_THAT(error_of("scopes: [{match: {}, defaults: {keep: 2}}]\n"), HasSubstr("match: no condition"));
    EXPECT_THAT(
        error_of("scopes: [{match: {partiton: a}, defaults: {keep: 2}}]\n"),
        HasSubstr("unknown condition \"partiton\", expected partition, qos, account, user, constraint, "
                  "did you mean \"partition\""));
    for (const char* pattern : {"''", "[]", "{a: b}", "[a, [b]]", "'a b'", "'a,b'", "\"a\\n\""})
        EXPECT_THAT(
            error_of("scopes: [{match: {user: " + std::string(pattern) + "}, defaults: {keep: 2}}]\n"),
            HasSubstr("a name, in which * stands for anything, or a list of them"))
            << pattern;
    EXPECT_THAT(error_of("scopes:\n- match: {user: a}\n"),
                HasSubstr("p.yaml:3:3: a scope that changes nothing"));
    EXPECT_THAT(error_of(scope + "defaults: {keep: many}\n"), HasSubstr("p.yaml:4:20: defaults.keep: "));
    EXPECT_THAT(error_of(scope + "defauts: {keep: 2}\n"), HasSubstr("did you mean \"defaults\""));
    EXPECT_THAT(error_of(scope + "scopes: []\n"), HasSubstr("unknown key \"scopes\""));
    EXPECT_THAT(error_of(scope + "version: 1\n"), HasSubstr("unknown key \"version\""));
    EXPECT_THAT(error_of(scope + "defaults: {keep: 20}\n"),
                HasSubstr("p.yaml:4:20: defaults.keep: beyond limits.max_keep"));
    EXPECT_EQ(error_of("defaults: {keep: 8}\n" + scope + "limits: {max_keep: 4}\n"), "none")
        << "it is capped";
    for (const char* condition : {"qos: a", "constraint: a", "user: a, qos: b"})
        EXPECT_THAT(
            error_of("scopes: [{match: {" + std::string(condition) + "}, defaults: {enabled: true}}]\n"),
            HasSubstr("defaults.enabled: it cannot depend on qos or constraint"));
    EXPECT_EQ(error_of("scopes:\n"), "none");
}

TEST(DropIns, ReplaceKeysAndAddScopes) {
    const std::vector<PolicyText> files{
        {"/e/checkpoint.yaml", "version: 1\ndefaults: {keep: 2, max_restarts: 9}\nscopes: [{match: {user: "
                               "a}, defaults: {keep: 3}}]\n"},
        {"/e/checkpoint.d/10.yaml",
         "version: 1\n\ndefaults: {keep: 5}\nscopes: [{match: {user: a}, defaults: {keep: 4}}]\n"}};
    const auto policy = parse_policies(files);
    ASSERT_TRUE(policy) << policy.error().what;
    EXPECT_EQ(policy->defaults.keep, 5U);
    EXPECT_EQ(policy->defaults.max_restarts, 9U);
    ASSERT_EQ(policy->stated.size(), 2U);
    EXPECT_EQ(policy->stated[0].where, "10.yaml:3");
    EXPECT_EQ(policy->stated[1].where, "checkpoint.yaml:2");
    EXPECT_EQ(policy_for(*policy, {"a", "", "", "", ""}).defaults.keep, 4U);
    const std::vector<PolicyText> beyond{
        files[0], {"/e/checkpoint.d/20.yaml", "version: 1\nlimits: {max_restarts: 3}\n"}};
    EXPECT_THAT(parse_policies(beyond).error().what,
                HasSubstr("/e/checkpoint.yaml:2:35: defaults.max_restarts: beyond limits.max_restarts"));
    const std::vector<PolicyText> bad{files[0], {"/e/checkpoint.d/30.yaml", "defaults: {}\n"}};
    EXPECT_THAT(parse_policies(bad).error().what, HasSubstr("/e/checkpoint.d/30.yaml:1:1: no version"));
}

} // namespace
} // namespace ckpt
