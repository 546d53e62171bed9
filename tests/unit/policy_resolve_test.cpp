// SPDX-License-Identifier: GPL-2.0-or-later
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/interval.hpp"
#include "policy/policy_yaml.hpp"
#include "policy/resolve.hpp"

namespace ckpt {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

JobFacts alice() {
    JobFacts facts;
    facts.user = "alice";
    return facts;
}

Request ask(const std::vector<std::pair<std::string, std::string>>& options) {
    Request request;
    for (const auto& [name, value] : options)
        EXPECT_TRUE(request.set(name, value)) << name << "=" << value;
    return request;
}

TEST(Daly, MatchesPublishedValues) {
    EXPECT_EQ(std::lround(daly_interval(5, 24 * 60)), 117);
    EXPECT_EQ(std::lround(daly_interval(5, 6 * 60)), 57);
    EXPECT_EQ(daly_interval(10, 5), 5) << "cost of twice the MTBF and more: the MTBF";
}

TEST(AutoInterval, FollowsNodesOverheadAndLimit) {
    PolicyAuto policy;
    policy.node_mtbf = 24h;
    policy.max_overhead = 0.5;
    EXPECT_EQ(std::chrono::round<std::chrono::minutes>(auto_interval(5min, 1, policy, 1s).interval), 117min);
    EXPECT_EQ(std::chrono::round<std::chrono::minutes>(auto_interval(5min, 4, policy, 1s).interval), 57min);
    policy.max_overhead = 0.01;
    EXPECT_EQ(auto_interval(5min, 4, policy, 1s).interval, 99 * 5min) << "300 s in 30,000 s are one percent";
    EXPECT_EQ(auto_interval(1s, 100000, policy, 10min).interval, 10min);
}

TEST(AutoInterval, SaysWhatItComesFrom) {
    const AutoInterval parts = auto_interval(0s, 10, {}, 1min);
    EXPECT_EQ(parts.cost_s, 1) << "at least a second";
    EXPECT_EQ(parts.mtbf_s, 3.0 * 24 * 3600) << "30 days by 10 nodes";
    EXPECT_EQ(parts.affordable_s, 99) << "one percent";
    EXPECT_EQ(parts.optimum_s, daly_interval(1, 3.0 * 24 * 3600));
    EXPECT_EQ(parts.interval.count(), std::ceil(parts.optimum_s));
}

TEST(AutoInterval, IsFiniteForAnyInput) {
    PolicyAuto policy;
    policy.max_overhead = 0;
    EXPECT_EQ(auto_interval(Seconds::max(), 0, policy, 1s).interval, k_year);
    policy.node_mtbf = 0s;
    EXPECT_GE(auto_interval(0s, 4'000'000'000U, policy, 60s).interval, 60s);
    EXPECT_GE(auto_interval(-5s, 1, policy, 60s).interval, 60s);
}

TEST(Resolve, NothingSaidIsTheBuiltInPlan) {
    const Plan plan = resolve({}, alice(), {}).value();
    EXPECT_FALSE(plan.enabled.value);
    EXPECT_EQ(plan.keep.value, 2U);
    EXPECT_EQ(plan.keep.origin, Origin::built_in);
    EXPECT_EQ(plan.on.value.bits, 1 | 2 | 4 | 8);
    EXPECT_EQ(plan.interval.value, Interval{IntervalAuto{}});
    EXPECT_THAT(plan.notes, IsEmpty());
}

TEST(Resolve, UserBeatsPolicyBeatsBuiltIn) {
    const Policy policy =
        parse_policy("p", "version: 1\ndefaults: {keep: 2, max_restarts: 7, files: copy}").value();
    const Plan plan =
        resolve(ask({{"checkpoint", ""}, {"checkpoint-files", "none"}}), alice(), policy).value();
    EXPECT_EQ(plan.enabled.origin, Origin::user);
    EXPECT_EQ(plan.files.value, FilesMode::none);
    EXPECT_EQ(plan.files.origin, Origin::user);
    EXPECT_EQ(plan.max_restarts.value, 7U);
    EXPECT_EQ(plan.max_restarts.origin, Origin::policy);
    EXPECT_EQ(plan.keep.origin, Origin::policy) << "stated, though equal to the built-in value";
    EXPECT_EQ(plan.interval.origin, Origin::built_in);
    EXPECT_EQ(plan.base.value, "/var/spool/slurm-checkpoint/store/alice");
}

TEST(Resolve, ADetailSwitchesOnUnlessOffWasSaid) {
    EXPECT_TRUE(resolve(ask({{"checkpoint-interval", "1h"}}), alice(), {})->enabled.value);
    EXPECT_FALSE(
        resolve(ask({{"checkpoint", "off"}, {"checkpoint-interval", "1h"}}), alice(), {})->enabled.value);
    Policy on;
    on.defaults.enabled = true;
    EXPECT_TRUE(resolve({}, alice(), on)->enabled.value);
    EXPECT_FALSE(resolve(ask({{"checkpoint", "off"}}), alice(), on)->enabled.value);
}

TEST(Resolve, LimitsCapAndTell) {
    const Request request =
        ask({{"checkpoint", "10s"}, {"checkpoint-keep", "50"}, {"checkpoint-max-restarts", "5000"}});
    const Plan plan = resolve(request, alice(), {}).value();
    EXPECT_EQ(plan.interval.value, Interval{Seconds{60}});
    EXPECT_EQ(plan.keep.value, 10U);
    EXPECT_EQ(plan.max_restarts.value, 1000U);
    EXPECT_EQ(plan.keep.origin, Origin::limit);
    ASSERT_THAT(plan.notes, SizeIs(3));
    for (const Error& note : plan.notes)
        EXPECT_EQ(note.code, Code::option_capped);
    EXPECT_EQ(plan.notes[1].what,
              "--checkpoint-keep: 50 is more than policy allows, 10 is used (limits.max_keep)");
}

TEST(Resolve, BuiltInDefaultsAreCappedSilently) {
    Policy policy;
    policy.limits.max_keep = 1;
    const Plan plan = resolve(ask({{"checkpoint", ""}}), alice(), policy).value();
    EXPECT_EQ(plan.keep.value, 1U);
    EXPECT_THAT(plan.notes, IsEmpty());
}

TEST(Resolve, NoneAndAutoAreNoShortIntervals) {
    for (const char* value : {"none", "auto"})
        EXPECT_THAT(resolve(ask({{"checkpoint-interval", value}}), alice(), {})->notes, IsEmpty()) << value;
}

Policy with_directories(std::vector<std::string> directories) {
    Policy policy;
    policy.storage.base = "/scratch/%u/.ckpt";
    policy.limits.directories = std::move(directories);
    return policy;
}

TEST(ResolveDirectory, MayBeAnAllowedOneOrBelow) {
    const Policy policy = with_directories({"/work/%u", "/shared"});
    for (const char* dir :
         {"/work/alice", "/work/alice/a/b", "/work/%u/a", "/shared/x", "/scratch/alice/.ckpt"})
        EXPECT_TRUE(resolve(ask({{"checkpoint-dir", dir}}), alice(), policy)) << dir;
    EXPECT_EQ(resolve(ask({{"checkpoint-dir", "/work/%u/a"}}), alice(), policy)->base.value, "/work/alice/a");
    EXPECT_EQ(resolve(ask({{"checkpoint", ""}}), alice(), policy)->base.value, "/scratch/alice/.ckpt");
    for (const char* dir :
         {"/work/bob", "/work/alice2", "/work", "/sharedx", "/scratch/alice", "/etc", "/work/%x"}) {
        const auto plan = resolve(ask({{"checkpoint-dir", dir}}), alice(), policy);
        ASSERT_FALSE(plan) << dir;
        EXPECT_EQ(plan.error().code, Code::option_value);
        EXPECT_THAT(plan.error().what, HasSubstr("--checkpoint-dir")) << dir;
    }
}

// storage.base by its own name means the user's directory in it.
TEST(ResolveDirectory, TheStandardOneMayBeNamed) {
    Policy policy = with_directories({});
    policy.storage.base = "/var/store";
    const std::string own = resolve(ask({{"checkpoint", ""}}), alice(), policy)->base.value;
    for (const std::string& dir : {policy.storage.base, own, policy.storage.base + "/%u"}) {
        const auto plan = resolve(ask({{"checkpoint-dir", dir}}), alice(), policy);
        ASSERT_TRUE(plan) << dir << ": " << one_line(plan.error());
        EXPECT_EQ(plan->base.value, own) << dir;
    }
    EXPECT_FALSE(resolve(ask({{"checkpoint-dir", own + "/x"}}), alice(), policy));
    EXPECT_FALSE(allowed_dir(policy, policy.storage.base + "/bob", "alice"));
}

TEST(ResolveDirectory, RefusalSaysWhatIsAllowed) {
    const Request request = ask({{"checkpoint-dir", "/etc"}});
    EXPECT_THAT(resolve(request, alice(), with_directories({"/work/%u"})).error().hint,
                HasSubstr("/work/alice"));
    EXPECT_THAT(resolve(request, alice(), with_directories({})).error().hint,
                HasSubstr("leave the option out"));
}

TEST(ResolveDirectory, NoUserNameLeavesItsPlace) {
    for (const char* user : {"", ".", "..", "a/b", "../root", "a\nb"}) {
        JobFacts facts;
        facts.user = user;
        EXPECT_FALSE(resolve(ask({{"checkpoint", ""}}), facts, with_directories({}))) << user;
    }
    EXPECT_EQ(expand_base("/a%%b/%u", "alice").value(), "/a%b/alice");
    EXPECT_FALSE(expand_base("/a%", "alice"));
}

TEST(ResolveDirectory, WhatAnAdminHasNamedOfIt) {
    Policy policy = with_directories({"/work/%u", "/big/w-%u/x", "/shared", "/100%%/%u"});
    EXPECT_EQ(admins_part(policy, "/scratch/alice/.ckpt", "alice"), "/scratch");
    EXPECT_EQ(admins_part(policy, "/work/alice", "alice"), "/work");
    EXPECT_EQ(admins_part(policy, "/work/alice/a/b", "alice"), "/work");
    EXPECT_EQ(admins_part(policy, "/big/w-alice/x/y", "alice"), "/big");
    EXPECT_EQ(admins_part(policy, "/shared/a/b", "alice"), "/shared");
    EXPECT_EQ(admins_part(policy, "/shared", "alice"), "/") << "always a directory above it";
    EXPECT_EQ(admins_part(policy, "/100%/alice", "alice"), "/100%");
    EXPECT_EQ(admins_part(policy, "/work/bob", "alice"), "/");
    EXPECT_EQ(admins_part(policy, "/elsewhere", "alice"), "/");
    policy.storage.base = "/var/store";
    EXPECT_EQ(admins_part(policy, "/var/store/alice", "alice"), "/var/store");
    policy.storage.base = "/%u/store";
    EXPECT_EQ(admins_part(policy, "/alice/store", "alice"), "/");
}

TEST(ResolveDirectory, DoesNotMatterToAJobWithoutCheckpoints) {
    EXPECT_TRUE(resolve(ask({{"checkpoint", "off"}, {"checkpoint-dir", "/etc"}}), alice(), {}));
}

} // namespace
} // namespace ckpt
