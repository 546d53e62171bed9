// SPDX-License-Identifier: GPL-2.0-or-later
// When the next checkpoint is due: the first of a job, the fit to its time limit, and its own share of
// jitter.
#include <set>

#include <gtest/gtest.h>

#include "policy/schedule.hpp"

namespace ckpt {
namespace {

using namespace std::chrono_literals;
using Rule = Schedule::Rule;

constexpr Seconds k_least{60};

PolicyAuto without_jitter() {
    PolicyAuto policy;
    policy.jitter = 0;
    return policy;
}

// A job that has been saved before.
ScheduleFacts every(Interval interval) {
    ScheduleFacts facts;
    facts.interval = interval;
    facts.generation = 1;
    facts.job_id = 7001;
    return facts;
}

Schedule next(const ScheduleFacts& facts, const PolicyAuto& policy = without_jitter()) {
    return next_checkpoint(facts, policy, k_least);
}

TEST(Schedule, WithoutALimitItIsTheInterval) {
    EXPECT_EQ(next(every(Seconds{1h})).delay, 1h);
    EXPECT_EQ(next(every(Seconds{1h})).rule, Rule::interval);
    EXPECT_EQ(next(every(IntervalNone{})).delay, 0s);
    ScheduleFacts facts = every(IntervalAuto{});
    facts.last_cost = 5min;
    PolicyAuto policy = without_jitter();
    policy.node_mtbf = 24h;
    policy.max_overhead = 0.5;
    EXPECT_EQ(std::chrono::round<std::chrono::minutes>(next(facts, policy).delay), 117min) << "Daly, 24 h";
    policy.node_mtbf = 6h;
    EXPECT_EQ(std::chrono::round<std::chrono::minutes>(next(facts, policy).delay), 57min) << "Daly, 6 h";
    facts.nodes = 4;
    policy.node_mtbf = 24h;
    EXPECT_EQ(std::chrono::round<std::chrono::minutes>(next(facts, policy).delay), 57min) << "any node's";
}

TEST(Schedule, CostsNoMoreThanItsCeiling) {
    ScheduleFacts facts = every(IntervalAuto{});
    facts.last_cost = 30s;
    PolicyAuto policy = without_jitter();
    policy.node_mtbf = 1h;
    policy.max_overhead = 0.01;
    EXPECT_EQ(next(facts, policy).delay, 99 * 30s) << "30 s in 3000 s";
    policy.max_overhead = 0.05;
    EXPECT_EQ(next(facts, policy).delay, 19 * 30s);
}

TEST(Schedule, FirstCheckpointIsTheVerdict) {
    ScheduleFacts facts = every(Seconds{1h});
    facts.generation = 0;
    EXPECT_EQ(next(facts).delay, 2min);
    EXPECT_EQ(next(facts).rule, Rule::first);
    facts.since_start = 50s;
    EXPECT_EQ(next(facts).delay, 70s);
    facts.since_start = 1h; // a ckptd that was away
    EXPECT_EQ(next(facts).delay, 1s);
    facts.since_start = 0s;
    facts.interval = IntervalNone{};
    EXPECT_EQ(next(facts).delay, 2min) << "it is no periodic one";
    facts.interval = Seconds{90s};
    EXPECT_EQ(next(facts).rule, Rule::interval) << "which is sooner";
    PolicyAuto policy = without_jitter();
    policy.first = 0s;
    facts.interval = Seconds{1h};
    EXPECT_EQ(next(facts, policy).delay, 1h);
    facts.until_last = 100s;
    EXPECT_EQ(next(facts).rule, Rule::last) << "the last one is the first";
}

TEST(Schedule, ShortRunsHaveNoneUnlessTheyNameIt) {
    ScheduleFacts facts = every(IntervalAuto{});
    facts.generation = 0;
    facts.allowance = 4min;
    EXPECT_EQ(next(facts).rule, Rule::too_short);
    EXPECT_EQ(next(facts).delay, 0s);
    facts.allowance = 5min;
    EXPECT_EQ(next(facts).rule, Rule::first);
    facts.allowance = 4min;
    facts.interval = Seconds{1min};
    EXPECT_EQ(next(facts).delay, 1min);
    facts.allowance = 0s;
    facts.interval = IntervalAuto{};
    EXPECT_EQ(next(facts).rule, Rule::first) << "no limit is known";
}

TEST(Schedule, NoneComesJustBeforeTheLast) {
    ScheduleFacts facts = every(Seconds{1h});
    facts.until_last = 132min;
    EXPECT_EQ(next(facts).delay, 44min);
    EXPECT_EQ(next(facts).parts, 3U);
    facts.until_last = 2h;
    EXPECT_EQ(next(facts).delay, 1h) << "an exact multiple stays";
    facts.until_last = 59min;
    EXPECT_EQ(next(facts).rule, Rule::last);
    EXPECT_GT(next(facts).delay, facts.until_last) << "it is chosen anew should the limit be moved";
}

TEST(Schedule, FitIsNeverLongerAndCostsNoneMore) {
    for (Seconds interval = 61s; interval < 2h; interval += 97s)
        for (Seconds left = 1s; left < 5h; left += 211s) {
            ScheduleFacts facts = every(interval);
            facts.until_last = left;
            const auto plain = (left.count() - 1) / interval.count(); // before the last one
            std::int64_t taken = 0;
            for (;; ++taken) {
                const Schedule one = next(facts);
                ASSERT_GT(one.delay.count(), 0);
                if (one.rule == Rule::last) break;
                // 61 s do not fit twice into 2 min without one below the least.
                ASSERT_LE(one.delay, std::max(interval, 2 * k_least));
                ASSERT_GE(one.delay, k_least);
                facts.until_last -= one.delay;
            }
            ASSERT_LE(taken, plain) << interval.count() << " " << left.count();
        }
}

TEST(Schedule, ElementsOfAnArrayAreSpread) {
    PolicyAuto policy;
    std::set<Seconds> delays;
    for (std::uint32_t job = 7001; job < 7101; ++job) {
        ScheduleFacts facts = every(Seconds{1h});
        facts.job_id = job;
        const Schedule one = next(facts, policy);
        EXPECT_EQ(one.delay, next(facts, policy).delay) << "always the same";
        EXPECT_GE(one.delay, 54min);
        EXPECT_LE(one.delay, 1h);
        delays.insert(one.delay);
    }
    EXPECT_GT(delays.size(), 50U);
    ScheduleFacts shortest = every(k_least);
    EXPECT_EQ(next(shortest, policy).delay, k_least) << "limits.min_interval";
}

} // namespace
} // namespace ckpt
