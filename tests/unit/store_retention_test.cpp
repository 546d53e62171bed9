// SPDX-License-Identifier: GPL-2.0-or-later
// What of a user's store goes: the decision by itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "store/retention.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t k_day = 24L * 3600;
constexpr std::int64_t k_now = 20000 * k_day;
constexpr std::uint64_t k_gib = std::uint64_t{1} << 30U;
constexpr RetentionRules k_rules{14 * k_day, 90 * k_day, 0};

// With generations of 1 GiB, the newest `age` days old and the others a day apart.
StoredJob job_of(std::uint32_t id, std::uint32_t generations, std::int64_t age) {
    StoredJob job;
    job.cluster = "alpha";
    job.owner = {"alpha", 1000, id, std::string(32, 'a')};
    for (std::uint32_t i = 1; i <= generations; ++i)
        job.generations.push_back({{0, i}, k_now - (age + generations - i) * k_day, k_gib});
    if (generations > 0) job.needed.insert({0, generations});
    job.users.started[0] = {};
    job.usage = {generations * k_gib, k_now - age * k_day};
    return job;
}
StoredJob ended(StoredJob job, std::int64_t days_ago, bool for_good = true) {
    job.ended_at = k_now - days_ago * k_day;
    job.ended_for_good = for_good;
    return job;
}
StoredJob claimed(StoredJob job, std::uint32_t by_job, std::int64_t days_ago) {
    job.users.claims.push_back({by_job, k_now - days_ago * k_day});
    return job;
}

ActiveJobs known(std::vector<ActiveJobs::Range> ranges = {}) {
    return {"alpha", true, std::move(ranges)};
}
const ActiveJobs k_unknown;

// "7/2" for each, "7/2!" with the directory.
std::vector<std::string> names(const std::vector<StoredJob>& jobs, const std::vector<Removal>& removals) {
    std::vector<std::string> all;
    for (const Removal& removal : removals)
        all.push_back(std::to_string(jobs.at(removal.job).owner.job_id) + "/" +
                      std::to_string(removal.id.generation) + (removal.with_directory ? "!" : ""));
    return all;
}
std::vector<std::string> gone(const std::vector<StoredJob>& jobs, const ActiveJobs& active,
                              const RetentionRules& rules = k_rules) {
    return names(jobs, decide_retention(jobs, active, rules, k_now));
}

TEST(Retention, AJobThatHasEndedGoesWithItsDirectory) {
    EXPECT_THAT(gone({ended(job_of(7, 2, 15), 15), ended(job_of(8, 2, 13), 13)}, known()),
                ElementsAre("7/1", "7/2!"));
}

TEST(Retention, TheReasonSaysHowLongAgo) {
    const std::vector jobs{ended(job_of(7, 1, 15), 15), job_of(8, 1, 20)};
    const auto removals = decide_retention(jobs, known(), k_rules, k_now);
    ASSERT_EQ(removals.size(), 2U);
    EXPECT_EQ(removals[0].reason, "ended 15 days ago");
    EXPECT_THAT(removals[1].reason, HasSubstr("the job has ended; last change of its files"));
    EXPECT_EQ(removals[0].bytes, k_gib);
}

TEST(Retention, ACancelledJobHasNoRecordAndGoesByItsNewestFile) {
    EXPECT_THAT(gone({job_of(7, 2, 15), job_of(8, 2, 13)}, known()), ElementsAre("7/1", "7/2!"));
}

TEST(Retention, WithoutSlurmctldOnlyWhatRanToItsEndHasEnded) {
    EXPECT_THAT(
        gone({job_of(7, 2, 15), ended(job_of(8, 1, 15), 15, false), ended(job_of(9, 1, 15), 15)}, k_unknown),
        ElementsAre("9/1!"));
}

TEST(Retention, AnotherClustersSlurmctldKnowsNothing) {
    EXPECT_THAT(gone({job_of(7, 2, 15)}, ActiveJobs{"beta", true, {}}), IsEmpty());
    EXPECT_THAT(gone({ended(job_of(7, 1, 15), 15)}, ActiveJobs{"beta", true, {{7, 7}}}), ElementsAre("7/1!"));
}

TEST(Retention, AnActiveJobKeepsItsNewestAtAnyAge) {
    EXPECT_THAT(gone({job_of(7, 3, 200)}, known({{5, 9}})), ElementsAre("7/1", "7/2"));
    EXPECT_THAT(gone({job_of(7, 3, 200)}, k_unknown), ElementsAre("7/1", "7/2"));
    EXPECT_THAT(gone({ended(job_of(7, 1, 200), 200)}, known({{7, 7}})), IsEmpty());
}

// A late commit of a node that was declared dead is newer by its number only.
TEST(Retention, TheNewestIsTheOneThatTheJobWouldGoOnFrom) {
    StoredJob job = job_of(7, 4, 200);
    job.needed = {{0, 2}};
    EXPECT_THAT(gone({job}, known({{7, 7}})), ElementsAre("7/1", "7/3"));
}

TEST(Retention, OldAgeTakesAllOfAJobThatHasEnded) {
    EXPECT_THAT(gone({ended(job_of(7, 2, 100), 100)}, known(), {1000 * k_day, 90 * k_day, 0}),
                ElementsAre("7/1", "7/2!"));
}

TEST(Retention, NoLimitMeansNone) {
    EXPECT_THAT(gone({job_of(7, 3, 500)}, known({{7, 7}}), {14 * k_day, 0, 0}), IsEmpty());
    EXPECT_THAT(gone({job_of(7, 1, 0)}, known(), {0, 0, 0}), ElementsAre("7/1!"));
}

TEST(Retention, TheLimitTakesEndedJobsOldestFirstThenOlderGenerations) {
    const std::vector jobs{job_of(5, 3, 1), ended(job_of(7, 2, 3), 3), ended(job_of(8, 2, 5), 5)};
    const auto limit = [&](std::uint64_t gib) {
        return gone(jobs, known({{5, 5}}), {14 * k_day, 90 * k_day, gib * k_gib});
    };
    EXPECT_THAT(limit(8), IsEmpty());
    EXPECT_THAT(limit(6), ElementsAre("8/1", "8/2!"));
    EXPECT_THAT(limit(4), ElementsAre("7/1", "7/2!", "8/1", "8/2!"));
    EXPECT_THAT(limit(3), ElementsAre("5/1", "7/1", "7/2!", "8/1", "8/2!"));
    EXPECT_THAT(limit(1), ElementsAre("5/1", "5/2", "7/1", "7/2!", "8/1", "8/2!"));
}

TEST(Retention, TheReasonNamesTheLimit) {
    const std::vector jobs{ended(job_of(7, 2, 3), 3)};
    const auto removals = decide_retention(jobs, known(), {14 * k_day, 0, k_gib}, k_now);
    ASSERT_FALSE(removals.empty());
    EXPECT_EQ(removals.front().reason, "over the limit of 1.0 GiB: oldest first");
}

TEST(Retention, WithoutSlurmctldTheLimitLeavesWhatMayBeActive) {
    EXPECT_THAT(gone({job_of(7, 3, 1), ended(job_of(8, 1, 1), 1)}, k_unknown, {14 * k_day, 0, 1}),
                ElementsAre("8/1!"));
    EXPECT_THAT(gone({job_of(7, 3, 1)}, {"alpha", false, {{7, 7}}}, {14 * k_day, 0, 1}),
                ElementsAre("7/1", "7/2"));
}

TEST(Retention, RecordsWithoutGenerationsGoAfterTheirTime) {
    EXPECT_THAT(gone({ended(job_of(7, 0, 15), 15), ended(job_of(8, 0, 13), 13), job_of(9, 0, 15)}, known()),
                ElementsAre("7/0!", "9/0!"));
    EXPECT_THAT(gone({job_of(7, 0, 100)}, known({{7, 7}})), IsEmpty());
    EXPECT_THAT(gone({job_of(7, 0, 100)}, k_unknown), IsEmpty());
}

TEST(Retention, WhatAnotherJobGoesOnFromStays) {
    const StoredJob job = ended(job_of(7, 2, 100), 100);
    EXPECT_THAT(gone({claimed(job, 9, 0)}, known(), {0, k_day, 1}), IsEmpty());
    EXPECT_THAT(gone({claimed(job, 9, 2)}, known({{9, 9}}), {0, k_day, 1}), IsEmpty());
    EXPECT_THAT(gone({claimed(job, 9, 2)}, k_unknown, {0, k_day, 1}), IsEmpty());
    EXPECT_THAT(gone({claimed(job, 9, 2)}, known(), {0, k_day, 1}), ElementsAre("7/1", "7/2!"));
}

TEST(Retention, ACommitUnderWayIsWaitedFor) {
    StoredJob job = job_of(7, 1, 0);
    job.commits = true;
    EXPECT_THAT(gone({job}, known(), {0, 0, 0}), IsEmpty());
    job.usage.newest = k_now - k_day;
    EXPECT_THAT(gone({job}, known(), {0, 0, 0}), ElementsAre("7/1!"));
}

class Random {
public:
    explicit Random(unsigned seed) : m_engine(seed) {}
    std::uint32_t below(std::uint32_t bound) {
        return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(m_engine);
    }

private:
    std::mt19937 m_engine;
};

// Whatever lies in a store and whichever jobs are active.
class RetentionTest : public ::testing::TestWithParam<unsigned> {
protected:
    StoredJob any_job(std::uint32_t id) {
        StoredJob job = job_of(id, m_random.below(5), m_random.below(150));
        for (StoredGeneration& one : job.generations)
            if (m_random.below(3) == 0) one.created_at = k_now - m_random.below(400) * k_day;
        if (!job.generations.empty() && m_random.below(3) == 0)
            job.needed = {
                job.generations[m_random.below(static_cast<std::uint32_t>(job.generations.size()))].id};
        if (m_random.below(3) == 0) job = ended(job, m_random.below(40), m_random.below(2) == 0);
        if (m_random.below(5) == 0) job = claimed(job, 1 + m_random.below(12), m_random.below(5));
        return job;
    }
    ActiveJobs any_active() {
        ActiveJobs active{"alpha", m_random.below(3) > 0, {}};
        for (std::uint32_t id = 1; id <= 12; ++id)
            if (m_random.below(2) == 0) active.ranges.push_back({id, id});
        return active;
    }
    RetentionRules any_rules() {
        return {m_random.below(30) * k_day, m_random.below(100) * k_day, m_random.below(20) * k_gib};
    }
    Random m_random{GetParam()};
};

TEST_P(RetentionTest, NothingActiveLosesItsNewest) {
    for (int round = 0; round < 200; ++round) {
        std::vector<StoredJob> jobs;
        for (std::uint32_t id = 1; id <= 10; ++id)
            jobs.push_back(any_job(id));
        const ActiveJobs active = any_active();
        std::set<std::pair<std::size_t, GenerationId>> once;
        for (const Removal& removal : decide_retention(jobs, active, any_rules(), k_now)) {
            const StoredJob& job = jobs.at(removal.job);
            EXPECT_TRUE(once.insert({removal.job, removal.id}).second);
            EXPECT_FALSE(removal.reason.empty());
            const bool may_go_on =
                active.contains(job.owner.job_id) || (!active.is_complete && !job.ended_for_good);
            if (may_go_on) {
                EXPECT_FALSE(job.needed.contains(removal.id)) << job.owner.job_id;
                EXPECT_NE(removal.id, job.generations.back().id) << job.owner.job_id;
                EXPECT_FALSE(removal.with_directory);
                EXPECT_TRUE(removal.is_active);
            }
            for (const Claimed& claim : job.users.claims) {
                EXPECT_TRUE(active.is_complete);
                EXPECT_FALSE(active.contains(claim.by_job));
                EXPECT_GE(k_now - claim.at, k_day);
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RetentionTest, ::testing::Range(1U, 9U));

} // namespace
} // namespace ckpt::store::test
