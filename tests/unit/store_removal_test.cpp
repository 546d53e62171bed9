// SPDX-License-Identifier: GPL-2.0-or-later
// Retention at work on a store: what it finds there, what it removes, and who may come in between.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <random>

#include "images_testbed.hpp"
#include "store/adopt.hpp"
#include "store/commit.hpp"
#include "store/complete.hpp"
#include "store/retention_look.hpp"
#include "store/retention_run.hpp"
#include "store/room.hpp"

namespace ckpt::store::test {
namespace {

using images_test::Dir;
using images_test::Files;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t k_day = 24L * 3600;
constexpr RetentionRules k_at_once{0, 0, 0};

// A volume in which something happens after a rename, once: the first, or one of this name.
class Watched final : public Volume {
public:
    MemoryVolume inner;
    std::function<void()> after_rename;
    std::string renamed;     // a part of the old name
    std::string unremovable; // a part of the path, if it is not empty
    Error why;

    [[nodiscard]] const std::string& name() const override { return inner.name(); }
    Result<std::vector<std::string>> list(const std::string& dir) override { return inner.list(dir); }
    Status make_dir(const std::string& path) override { return inner.make_dir(path); }
    Result<std::unique_ptr<NewFile>> create(const std::string& path) override { return inner.create(path); }
    Result<std::unique_ptr<OldFile>> open(const std::string& path) override { return inner.open(path); }
    Result<std::string> read(const std::string& path, std::size_t max) override {
        return inner.read(path, max);
    }
    Status rename(const std::string& from, const std::string& to) override {
        CKPT_CHECK(inner.rename(from, to));
        if (from.find(renamed) == std::string::npos) return {};
        if (auto action = std::exchange(after_rename, {})) action();
        return {};
    }
    Status sync(const std::string& dir) override { return inner.sync(dir); }
    Status remove(const std::string& path) override {
        if (!unremovable.empty() && path.find(unremovable) != std::string::npos) return tl::unexpected(why);
        return inner.remove(path);
    }
    Result<Space> space() override { return inner.space(); }
    Result<Usage> usage(const std::string& path) override { return inner.usage(path); }
};

constexpr std::uint32_t k_uid = 1000;

class RemovalTest : public ::testing::Test {
protected:
    RemovalTest() {
        ClusterKey key;
        key.id = "0011223344556677";
        m_keys.push_back(std::move(key));
        m_volume.inner.changed = m_now;
    }
    [[nodiscard]] Store store() { return {m_volume, m_keys}; }
    static Owner owner(std::uint32_t job) { return {"alpha", k_uid, job, std::string(32, 'a')}; }
    static Files images(std::uint32_t job, GenerationId id) {
        return {{"inventory.img", std::to_string(job) + to_text(id)},
                {"pages-1.img", std::string(20000, static_cast<char>('a' + id.generation))}};
    }
    void save(std::uint32_t job, GenerationId id, std::uint32_t keep = 100) {
        const Dir dump(images(job, id));
        CommitSpec spec;
        spec.owner = owner(job);
        spec.id = id;
        spec.keep = keep;
        spec.reason = "interval";
        spec.parts.push_back({{0, 0, "n1", 1, 1, 1, "4.2", {}}, dump.fd()});
        const auto done = commit(store(), spec);
        ASSERT_TRUE(done) << one_line(done.error());
    }
    void finish(std::uint32_t job, std::uint32_t incarnation = 0) {
        ASSERT_TRUE(complete(store(), {owner(job), incarnation, 256, false, false}));
    }
    struct Taken {
        Result<Adoption> adoption;
        Files files;
    };
    Taken start(std::uint32_t job, std::uint32_t incarnation, std::uint32_t from_job = 0) {
        const Dir target;
        AdoptSpec spec;
        spec.owner = owner(job);
        spec.incarnation = incarnation;
        spec.target = target.fd();
        spec.other_job = from_job;
        auto adoption = adopt(store(), spec);
        return {std::move(adoption), target.files()};
    }
    void expect_start(std::uint32_t job, std::uint32_t incarnation, GenerationId id,
                      std::uint32_t from_job = 0) {
        const Taken taken = start(job, incarnation, from_job);
        ASSERT_TRUE(taken.adoption) << one_line(taken.adoption.error());
        ASSERT_EQ(taken.adoption->found, Found::generation);
        EXPECT_EQ(taken.adoption->id, id);
        EXPECT_TRUE(taken.files == images(from_job != 0 ? from_job : job, id));
    }
    // What is left of the generations: "7/1".
    std::vector<std::string> left() {
        std::vector<std::string> all;
        const auto jobs = look(store(), k_uid);
        EXPECT_TRUE(jobs);
        for (const StoredJob& job : *jobs)
            for (const StoredGeneration& one : job.generations)
                all.push_back(std::to_string(job.owner.job_id) + "/" + std::to_string(one.id.generation));
        return all;
    }
    static ActiveJobs active(std::vector<ActiveJobs::Range> ranges = {}) {
        return {"alpha", true, std::move(ranges)};
    }
    // Returns what could not be removed.
    std::vector<std::string> prune(const ActiveJobs& active, const RetentionRules& rules, std::int64_t now) {
        const auto jobs = look(store(), k_uid);
        EXPECT_TRUE(jobs);
        std::vector<std::string> problems;
        const auto report = [&](const Removal&, const StoredJob&, const Status& done) -> Status {
            if (!done) problems.push_back(done.error().what);
            return {};
        };
        EXPECT_TRUE(remove_all(store(), *jobs, decide_retention(*jobs, active, rules, now), report));
        return problems;
    }
    std::vector<std::string> prune(const ActiveJobs& jobs) { return prune(jobs, k_at_once, m_now); }
    [[nodiscard]] bool is_there(std::uint32_t job) const {
        return m_volume.inner.dirs.contains("alpha/" + job_dir_name(owner(job)));
    }

    const std::int64_t m_now = std::time(nullptr);
    std::vector<ClusterKey> m_keys;
    Watched m_volume;
};

TEST_F(RemovalTest, NothingOfAnEndedJobStaysAndTheOtherIsUntouched) {
    save(7, {0, 1});
    save(7, {0, 2});
    save(8, {0, 1});
    EXPECT_THAT(prune(active({{8, 8}})), IsEmpty());
    EXPECT_THAT(left(), ElementsAre("8/1"));
    EXPECT_FALSE(is_there(7));
    EXPECT_EQ(m_volume.inner.size_below("alpha/" + job_dir_name(owner(7))), 0U);
    expect_start(8, 1, {0, 1});
}

TEST_F(RemovalTest, WhatIsFoundIsWhatTheRecordsSay) {
    save(7, {0, 1});
    finish(7);
    save(8, {0, 1});
    expect_start(8, 1, {0, 1});
    const auto jobs = look(store(), k_uid);
    ASSERT_TRUE(jobs);
    ASSERT_EQ(jobs->size(), 2U);
    EXPECT_TRUE(jobs->at(0).ended_for_good);
    EXPECT_GE(jobs->at(0).ended_at.value_or(0), m_now);
    EXPECT_GE(jobs->at(0).generations.at(0).created_at, m_now);
    EXPECT_FALSE(jobs->at(1).ended_at);
    EXPECT_THAT(jobs->at(1).needed, ElementsAre(GenerationId{0, 1}));
    EXPECT_GT(jobs->at(1).usage.bytes, 100U);
}

TEST_F(RemovalTest, AnotherUsersManifestsSayNothing) {
    save(7, {0, 1});
    finish(7);
    const auto jobs = look(store(), k_uid + 1);
    ASSERT_TRUE(jobs);
    ASSERT_EQ(jobs->size(), 1U);
    EXPECT_NE(jobs->at(0).owner.uid, k_uid);
    EXPECT_FALSE(jobs->at(0).ended_at) << "that it has ended is on record for its user";
    EXPECT_EQ(jobs->at(0).generations.size(), 1U);
}

// Inc 1 has gone on from generation 1 while a node that was declared dead was still committing.
TEST_F(RemovalTest, ALateCommitIsNotTheNewest) {
    save(7, {0, 1});
    expect_start(7, 1, {0, 1});
    // commit() refuses what is fenced: as if it had come first.
    const std::string adopted = "alpha/" + job_dir_name(owner(7)) + "/inc-1/adopted";
    const auto record = m_volume.inner.files.at(adopted);
    m_volume.inner.files.erase(adopted);
    save(7, {0, 2});
    m_volume.inner.files[adopted] = record;
    EXPECT_THAT(prune(active({{7, 7}}), {0, 0, 1}, m_now), IsEmpty());
    EXPECT_THAT(left(), ElementsAre("7/1", "7/2"));
    expect_start(7, 2, {0, 1});
}

TEST_F(RemovalTest, AJobThatStartsAgainMeanwhileKeepsAll) {
    save(7, {0, 1});
    save(7, {0, 2});
    const auto jobs = look(store(), k_uid);
    ASSERT_TRUE(jobs);
    m_volume.after_rename = [&] { expect_start(7, 1, {0, 2}); };
    EXPECT_THAT(prune(active()), ::testing::Each(HasSubstr("started again")));
    EXPECT_THAT(left(), ElementsAre("7/1", "7/2"));
    expect_start(7, 2, {0, 2});
}

TEST_F(RemovalTest, AJobThatGoesOnFromThisOneMeanwhileKeepsAll) {
    save(7, {0, 1});
    save(7, {0, 2});
    m_volume.after_rename = [&] { expect_start(9, 0, {0, 2}, 7); };
    EXPECT_THAT(prune(active()), ::testing::Each(HasSubstr("another one goes on from it")));
    EXPECT_THAT(left(), ElementsAre("7/1", "7/2"));
}

TEST_F(RemovalTest, AClaimHoldsAsLongAsTheOtherJobIsActive) {
    save(7, {0, 1});
    expect_start(9, 0, {0, 1}, 7);
    EXPECT_THAT(prune(active()), IsEmpty());
    EXPECT_THAT(left(), ElementsAre("7/1"));
    EXPECT_THAT(prune(active({{9, 9}}), k_at_once, m_now + 2 * k_day), IsEmpty());
    EXPECT_THAT(left(), ElementsAre("7/1"));
    expect_start(9, 1, {0, 1}, 7);
    EXPECT_THAT(prune(active(), k_at_once, m_now + 2 * k_day), IsEmpty());
    EXPECT_THAT(left(), IsEmpty());
}

TEST_F(RemovalTest, OfAnActiveJobOlderGenerationsGoAndTheNewestRestores) {
    for (std::uint32_t generation = 1; generation <= 3; ++generation)
        save(7, {0, generation});
    EXPECT_THAT(prune(active({{7, 7}}), {0, 0, 1}, m_now), IsEmpty());
    EXPECT_THAT(left(), ElementsAre("7/3"));
    save(7, {0, 4});
    expect_start(7, 1, {0, 4});
}

TEST_F(RemovalTest, AFullUserIsToldAndWhatEndedGoesFirst) {
    save(7, {0, 1});
    finish(7);
    save(8, {0, 1});
    const auto size_of = [&](std::uint32_t job) {
        return m_volume.inner.size_below("alpha/" + job_dir_name(owner(job)));
    };
    const std::uint64_t all = size_of(7) + size_of(8);
    const RoomRules rules{{14 * k_day, 0, all}, 0};
    EXPECT_TRUE(make_room(store(), owner(8), 0, rules, m_now));
    EXPECT_THAT(left(), ElementsAre("8/1"));
    const auto full = make_room(store(), owner(8), 0, {{14 * k_day, 0, 1}, 0}, m_now);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, Code::store_full);
    EXPECT_THAT(one_line(full.error()), HasSubstr("sckpt prune"));
    EXPECT_THAT(left(), ElementsAre("8/1"));
}

TEST_F(RemovalTest, AFileSystemMustStayFree) {
    m_volume.inner.available = {.free = 1U << 20U, .total = 100U << 20U};
    EXPECT_TRUE(make_room(store(), owner(8), 0, {k_at_once, 0.01}, m_now));
    const auto full = make_room(store(), owner(8), 0, {k_at_once, 0.02}, m_now);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, Code::store_full);
    EXPECT_EQ(full.error().what, "1.0 MiB of 100 MiB are free in memory, and 2.0 MiB have to stay free");
}

// Job 9 goes on from 7 when 7's last node comes to say, late, that it has ended.
TEST_F(RemovalTest, AnEndThatIsRecordedLateLeavesWhatAnotherJobGoesOnFrom) {
    for (const bool in_the_middle : {false, true}) {
        const std::uint32_t job = in_the_middle ? 8 : 7;
        const std::uint32_t other = in_the_middle ? 18 : 17;
        save(job, {0, 1});
        save(job, {0, 2});
        const GenerationId from{0, in_the_middle ? 1U : 2U};
        if (in_the_middle) { // when generation 2 has been renamed, and not been removed
            m_volume.renamed = job_dir_name(owner(job)) + "/inc-0/gen-000002";
            m_volume.after_rename = [&] { expect_start(other, 0, from, job); };
        } else {
            expect_start(other, 0, from, job);
        }
        EXPECT_TRUE(complete(store(), {owner(job), 0, 0, true, false}));
        EXPECT_FALSE(m_volume.after_rename);
        expect_start(other, 1, from, job);
    }
    EXPECT_THAT(left(), ElementsAre("7/1", "7/2", "8/1", "8/2"));
}

// Nor does a commit that takes place all the same, such as one of the incarnation that has been continued.
TEST_F(RemovalTest, ACommitLeavesWhatAnotherJobGoesOnFrom) {
    save(7, {0, 1});
    expect_start(9, 0, {0, 1}, 7);
    save(7, {0, 2}, 1);
    EXPECT_THAT(left(), ElementsAre("7/1", "7/2"));
    expect_start(9, 1, {0, 1}, 7);
    // What it makes later, in an incarnation that nobody has claimed, is its own.
    expect_start(7, 1, {0, 2});
    save(7, {1, 3}, 1);
    save(7, {1, 4}, 1);
    EXPECT_THAT(left(), ElementsAre("7/1", "7/2", "7/4"));
}

// One node has renamed a generation and is about to look who uses it; another one's commit, or what comes
// behind it, meets the trash.
TEST_F(RemovalTest, WhatAnotherNodeHasRenamedIsNotSweptWhileItMayBePutBack) {
    save(7, {0, 1});
    save(7, {0, 2});
    m_volume.renamed = "gen-000001";
    m_volume.after_rename = [&] {
        m_volume.renamed.clear();
        expect_start(9, 0, {0, 2}, 7);                                 // claims it
        ASSERT_TRUE(complete(store(), {owner(7), 0, 0, true, false})); // sweeps
    };
    EXPECT_THAT(prune(active({{9, 9}})), ::testing::Each(HasSubstr("another one goes on from it")));
    EXPECT_THAT(left(), ElementsAre("7/1", "7/2"));
    expect_start(9, 1, {0, 2}, 7);
}

TEST_F(RemovalTest, ADirectoryThatAnotherNodeHasRenamedIsNotSweptWhileItMayBePutBack) {
    save(7, {0, 1});
    save(8, {0, 1});
    m_volume.renamed = "inc-0/gen-000001"; // of 7: the directory comes next
    m_volume.after_rename = [&] {
        m_volume.renamed = job_dir_name(owner(7));
        m_volume.after_rename = [&] {
            m_volume.renamed.clear();
            EXPECT_THAT(prune(active({{8, 8}})), IsEmpty());
            EXPECT_TRUE(m_volume.inner.dirs.contains("alpha/.trash-" + job_dir_name(owner(7))));
        };
    };
    EXPECT_THAT(prune(active({{8, 8}})), IsEmpty());
    EXPECT_FALSE(m_volume.after_rename);
    EXPECT_THAT(left(), ElementsAre("8/1"));
    EXPECT_EQ(m_volume.inner.size_below("alpha/" + job_dir_name(owner(7))), 0U);
}

// Another start of the same incarnation has used what this one cannot.
TEST_F(RemovalTest, AScriptThatFindsNothingLeavesTheRecordOfAnotherStart) {
    const Dir dump(images(7, {0, 1}));
    CommitSpec spec;
    spec.owner = owner(7);
    spec.id = {0, 1};
    spec.keep = 100;
    spec.parts.push_back({{0, 0, "n1", 1, 1, 1, "4.2", {}}, dump.fd()});
    spec.parts.push_back({{1, 0, "n1", 1, 1, 1, "4.2", {}, 7}, dump.fd()});
    ASSERT_TRUE(commit(store(), spec));
    const std::string generation = "alpha/" + job_dir_name(owner(7)) + "/inc-0/gen-000001";
    const Dir target;
    AdoptSpec second;
    second.owner = owner(7);
    second.incarnation = 1;
    second.target = target.fd();
    // It has looked for a record before the first writes its own.
    m_volume.renamed = "inc-1/.tmp-adopted";
    m_volume.after_rename = [&] {
        expect_start(7, 1, {0, 1});
        m_volume.inner.files.erase(generation + "/index-0-0");
    };
    const auto adoption = adopt(store(), second);
    EXPECT_FALSE(m_volume.after_rename);
    ASSERT_TRUE(adoption) << one_line(adoption.error());
    EXPECT_EQ(adoption->found, Found::unusable);
    EXPECT_TRUE(m_volume.inner.files.contains("alpha/" + job_dir_name(owner(7)) + "/inc-1/adopted"));
    spec.id = {0, 2};
    EXPECT_FALSE(commit(store(), spec)) << "the fence stands";
}

TEST_F(RemovalTest, WhatCannotBeRemovedIsToldEachTimeAndTheOthersGo) {
    for (const std::uint32_t job : {7U, 8U, 9U})
        save(job, {0, 1});
    m_volume.unremovable = ".trash-8-";
    m_volume.why = {Code::os, "a directory that stays", "", EACCES};
    EXPECT_THAT(prune(active()), ElementsAre("a directory that stays"));
    EXPECT_THAT(left(), IsEmpty());
    m_volume.inner.changed -= 2 * 3600;
    EXPECT_THAT(prune(active()), ElementsAre("a directory that stays")) << "it is nobody's any more";
    m_volume.unremovable.clear();
    EXPECT_THAT(prune(active()), IsEmpty());
    EXPECT_TRUE(std::ranges::none_of(m_volume.inner.dirs, [](const std::string& dir) {
        return dir.find(".trash-") != std::string::npos;
    }));
}

// Of a volume that has gone, nothing is said about the jobs that come next.
TEST_F(RemovalTest, TheDirectoryAtWhichTheVolumeWentIsTheLastThatIsTold) {
    for (const std::uint32_t job : {7U, 8U, 9U})
        save(job, {0, 1});
    m_volume.unremovable = ".trash-8-";
    m_volume.why = {Code::os, "it has ended", "", EPIPE};
    const auto jobs = look(store(), k_uid);
    ASSERT_TRUE(jobs);
    std::vector<std::uint32_t> told;
    const auto report = [&](const Removal&, const StoredJob& job, const Status&) -> Status {
        told.push_back(job.owner.job_id);
        return {};
    };
    const auto done = remove_all(store(), *jobs, decide_retention(*jobs, active(), k_at_once, m_now), report);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().errnum, EPIPE);
    EXPECT_THAT(told, ElementsAre(7U, 8U));
}

// What a killed removal leaves behind goes with the next.
TEST_F(RemovalTest, AKilledRemovalIsFinishedByTheNext) {
    save(7, {0, 1});
    save(8, {0, 1});
    m_volume.inner.fail_from(MemoryVolume::Calls::changing, 5, EIO);
    (void)prune(active({{8, 8}}));
    m_volume.inner.fail_no_more();
    m_volume.inner.changed -= 2 * 3600; // nobody is at it any more
    EXPECT_THAT(prune(active({{8, 8}})), IsEmpty());
    EXPECT_FALSE(is_there(7));
    EXPECT_TRUE(std::ranges::none_of(m_volume.inner.dirs, [](const std::string& dir) {
        return dir.find(".trash-") != std::string::npos;
    }));
    expect_start(8, 1, {0, 1});
}

// Whatever is in the store, and whoever is active: what is decided is what is done, and the active restore.
class AnyStoreTest : public RemovalTest, public ::testing::WithParamInterface<unsigned> {};

TEST_P(AnyStoreTest, WhatIsActiveGoesOnFromItsNewest) {
    std::mt19937 random(GetParam());
    const auto below = [&](std::uint32_t bound) {
        return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(random);
    };
    ActiveJobs jobs = active();
    std::map<std::uint32_t, std::pair<std::uint32_t, GenerationId>>
        newest; // by active job: next incarnation, newest
    for (std::uint32_t job = 1; job <= 5; ++job) {
        std::uint32_t incarnation = 0;
        GenerationId last{0, 1};
        save(job, last);
        for (std::uint32_t step = below(5); step > 0; --step) {
            if (below(3) == 0) expect_start(job, ++incarnation, last);
            last = {incarnation, last.generation + 1};
            save(job, last);
        }
        if (below(2) == 0) {
            jobs.ranges.push_back({job, job});
            newest[job] = {incarnation + 1, last};
        } else if (below(2) == 0) {
            finish(job, incarnation);
        }
    }
    const RetentionRules rules{below(20) * k_day, below(3) * k_day, below(2)};
    const std::int64_t now = m_now + below(30) * k_day;
    const auto before = look(store(), k_uid);
    ASSERT_TRUE(before);
    std::vector<std::string> expected;
    const auto decided = decide_retention(*before, jobs, rules, now);
    for (std::size_t job = 0; job < before->size(); ++job)
        for (const StoredGeneration& one : before->at(job).generations)
            if (std::ranges::none_of(decided,
                                     [&](const Removal& r) { return r.job == job && r.id == one.id; }))
                expected.push_back(std::to_string(before->at(job).owner.job_id) + "/" +
                                   std::to_string(one.id.generation));
    EXPECT_THAT(prune(jobs, rules, now), IsEmpty());
    EXPECT_EQ(left(), expected);
    for (const auto& [job, next] : newest)
        expect_start(job, next.first, next.second);
}

INSTANTIATE_TEST_SUITE_P(Seeds, AnyStoreTest, ::testing::Range(1U, 21U));

} // namespace
} // namespace ckpt::store::test
