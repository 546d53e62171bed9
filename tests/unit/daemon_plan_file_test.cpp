// SPDX-License-Identifier: GPL-2.0-or-later
#include <csignal>

#include <gtest/gtest.h>

#include "daemon/plan_file.hpp"

namespace ckpt {
namespace {

Plan plan_with(Interval interval) {
    Plan plan;
    plan.enabled = {true, Origin::user};
    plan.interval = {interval, Origin::limit};
    plan.base = {"/scratch/100%/alice", Origin::policy};
    plan.on = {Triggers{21}, Origin::user};
    plan.method = {{Method::Kind::app, SIGUSR1}, Origin::user};
    plan.keep = {7, Origin::limit};
    plan.max_restarts = {8, Origin::policy};
    plan.restore = {{Restore::Kind::job, 12, 3}, Origin::user};
    plan.files = {FilesMode::copy, Origin::policy};
    plan.signal = {SIGUSR2, Origin::user};
    return plan;
}

void expect_kept(const Plan& plan) {
    const Plan kept = plan_from(to_file(plan));
    const auto same = [](const auto& a, const auto& b) { return a.value == b.value && a.origin == b.origin; };
    EXPECT_TRUE(same(kept.enabled, plan.enabled));
    EXPECT_TRUE(same(kept.interval, plan.interval));
    EXPECT_TRUE(same(kept.base, plan.base));
    EXPECT_TRUE(same(kept.on, plan.on));
    EXPECT_TRUE(same(kept.method, plan.method));
    EXPECT_TRUE(same(kept.keep, plan.keep));
    EXPECT_TRUE(same(kept.max_restarts, plan.max_restarts));
    EXPECT_TRUE(same(kept.restore, plan.restore));
    EXPECT_TRUE(same(kept.files, plan.files));
    EXPECT_TRUE(same(kept.signal, plan.signal));
}

TEST(PlanFile, KeepsEveryValueAndWhoDecidedIt) {
    expect_kept(plan_with(Seconds(90)));
    expect_kept(plan_with(IntervalAuto{}));
    expect_kept(plan_with(IntervalNone{}));
    expect_kept(Plan{});
}

} // namespace
} // namespace ckpt
