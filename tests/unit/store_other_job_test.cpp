// SPDX-License-Identifier: GPL-2.0-or-later
// Going on from another job of the same user.
#include "store/other_job.hpp"
#include "store/records.hpp"
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class OtherJobTest : public StoreTest {
protected:
    static constexpr std::uint32_t k_source = 99;

    // A generation of another job; its files tell which.
    void commit_by(const Owner& owner, GenerationId id, const std::string& mark, std::uint32_t keep = 100) {
        const Fd dir = open_path(make_dump({{"core-1.img", mark}}));
        const auto done = commit_to_store(spec_of(owner, id, keep, dir.get()));
        ASSERT_TRUE(done) << one_line(done.error());
    }
    Result<Taken> adopt_other(std::uint32_t incarnation, std::uint32_t job, std::uint32_t generation = 0,
                              std::optional<GenerationId> before = {}) {
        AdoptSpec spec = adoption_by(incarnation, -1, before);
        spec.other_job = job;
        spec.other_generation = generation;
        return try_adopt(spec, m_base);
    }
    void expect_other(std::uint32_t incarnation, GenerationId id, const std::string& mark,
                      std::uint32_t generation = 0) {
        const auto taken = adopt_other(incarnation, k_source, generation);
        ASSERT_TRUE(taken) << one_line(taken.error());
        EXPECT_EQ(taken->adoption.found, Found::generation)
            << ::testing::PrintToString(taken->adoption.skipped);
        EXPECT_EQ(to_text(taken->adoption.id), to_text(id));
        EXPECT_EQ(taken->adoption.of_job, k_source);
        EXPECT_FALSE(taken->adoption.tree_was_stopped);
        EXPECT_TRUE(taken->files == (Files{{"core-1.img", mark}}));
    }
    void expect_none(const Result<Taken>& taken, const std::string& why) {
        ASSERT_FALSE(taken);
        EXPECT_EQ(taken.error().code, Code::restore_source);
        EXPECT_TRUE(taken.error().what.starts_with(why)) << "says all by itself: " << taken.error().what;
        EXPECT_FALSE(fs::exists(record_path(0, "adopted"))) << "nothing was adopted";
    }
    [[nodiscard]] fs::path path_of_other(const Owner& owner) const {
        return m_base / owner.cluster / job_dir_name(owner);
    }
    Record<Adopted> adopted_by(std::uint32_t incarnation) {
        LocalVolume here = volume(m_base);
        const auto job = job_at(Store{here, m_keys}, m_owner);
        EXPECT_TRUE(job);
        return read_adopted(*job, incarnation);
    }

    Owner m_other{"alpha", 1000, k_source, "99999999999999999999999999999999"};
};

TEST_F(OtherJobTest, TheNewestGeneration) {
    commit_by(m_other, {0, 1}, "first");
    commit_by(m_other, {0, 2}, "second");
    expect_other(0, {0, 2}, "second");
    const auto record = adopted_by(0);
    ASSERT_EQ(record.state, RecordState::valid) << record.why;
    EXPECT_EQ(record.value.from, (GenerationId{0, 2}));
    EXPECT_EQ(record.value.of, (OtherJob{k_source, m_other.uuid}));
    EXPECT_EQ(std::distance(fs::directory_iterator(path_of_other(m_other)), {}), 2) << "inc-0 and packs";
}

TEST_F(OtherJobTest, TheNewestOverItsIncarnations) {
    commit_by(m_other, {0, 7}, "old");
    commit_by(m_other, {1, 3}, "new");
    expect_other(0, {1, 3}, "new");
}

TEST_F(OtherJobTest, ANumberedOne) {
    commit_by(m_other, {0, 1}, "first");
    commit_by(m_other, {0, 2}, "second");
    commit_by(m_other, {0, 3}, "third");
    expect_other(0, {0, 2}, "second", 2);
}

TEST_F(OtherJobTest, ThereIsNone) {
    expect_none(adopt_other(0, k_source), "job 99 of yours has no checkpoint");
    commit_by(m_other, {0, 1}, "first");
    expect_none(adopt_other(0, k_source, 5), "job 99 of yours has no generation 5");
    expect_none(adopt_other(0, 98), "job 98 of yours has no checkpoint");
    fs::remove(path_of_other(m_other) / "inc-0" / "gen-000001" / "manifest");
    expect_none(adopt_other(0, k_source), "job 99 of yours has no checkpoint");
}

TEST_F(OtherJobTest, AnotherUsersOrClustersIsNone) {
    Owner other = m_other;
    other.uid = 1001;
    commit_by(other, {0, 1}, "of another user");
    expect_none(adopt_other(0, k_source), "job 99 of yours has no checkpoint");
    fs::remove_all(m_base / "alpha");
    other = m_other;
    other.cluster = "beta";
    commit_by(other, {0, 1}, "of another cluster");
    expect_none(adopt_other(0, k_source), "job 99 of yours has no checkpoint");
    // Whatever directory it lies in.
    fs::remove_all(m_base / "alpha");
    fs::copy(m_base / "beta", m_base / "alpha", fs::copy_options::recursive);
    expect_none(adopt_other(0, k_source), "job 99 of yours has no checkpoint");
}

TEST_F(OtherJobTest, AForgedOwnerIsNone) {
    Owner theirs = m_other;
    theirs.uid = 1001;
    commit_by(theirs, {0, 1}, "of another user");
    const fs::path manifest = path_of_other(theirs) / "inc-0" / "gen-000001" / "manifest";
    std::string text = read_file(manifest);
    for (std::size_t at = text.find("\"uid\":1001"); at != std::string::npos; at = text.find("\"uid\":1001"))
        text.replace(at, 10, "\"uid\":1000");
    write_file(manifest, text);
    expect_none(adopt_other(0, k_source), "job 99 of yours has no checkpoint");
}

// Slurm counts anew some day.
TEST_F(OtherJobTest, OfTwoJobsWithOneNumberTheNewer) {
    Owner newer = m_other;
    newer.uuid = "11111111111111111111111111111111";
    commit_by(m_other, {3, 9}, "older job");
    const std::int64_t created = [&] {
        std::swap(m_owner, m_other);
        const std::int64_t at = manifest_of({3, 9}).created_at;
        std::swap(m_owner, m_other);
        return at;
    }();
    while (std::time(nullptr) <= created) // manifests count seconds
        ::usleep(20000);
    commit_by(newer, {0, 1}, "newer job");
    const auto taken = adopt_other(0, k_source);
    ASSERT_TRUE(taken) << one_line(taken.error());
    EXPECT_TRUE(taken->files == (Files{{"core-1.img", "newer job"}}));
    EXPECT_EQ(adopted_by(0).value.of, (OtherJob{k_source, newer.uuid}));
}

TEST_F(OtherJobTest, AJobOfTheSameNumberAsThisOne) {
    m_other.job_id = m_owner.job_id;
    commit_by(m_other, {0, 1}, "an earlier 4711");
    const auto taken = adopt_other(0, m_owner.job_id);
    ASSERT_TRUE(taken) << one_line(taken.error());
    EXPECT_TRUE(taken->files == (Files{{"core-1.img", "an earlier 4711"}}));
    // Its own first generation has the same number and is damaged: that is no reason against the other's.
    must_commit({0, 1});
    ruin(pack_path({0, 1}));
    const auto again = adopt_other(1, m_owner.job_id);
    ASSERT_TRUE(again) << one_line(again.error());
    EXPECT_EQ(again->adoption.found, Found::generation);
    EXPECT_TRUE(again->files == (Files{{"core-1.img", "an earlier 4711"}}));
}

TEST_F(OtherJobTest, ACompletedJobIsGoneOnFromAllTheSame) {
    commit_by(m_other, {0, 1}, "of a job that has ended");
    CompleteSpec end;
    end.owner = m_other;
    ASSERT_TRUE(complete_in_store(end));
    expect_other(0, {0, 1}, "of a job that has ended");
}

TEST_F(OtherJobTest, UntilThereIsSomethingOfItsOwn) {
    commit_by(m_other, {0, 1}, "theirs");
    expect_other(0, {0, 1}, "theirs");
    expect_other(1, {0, 1}, "theirs"); // requeued before it has saved anything
    EXPECT_EQ(adopted_by(1).value.of, (OtherJob{k_source, m_other.uuid}));
    // The option is given again at each start; the record decides, not what is newest there by now.
    commit_by(m_other, {0, 2}, "later");
    expect_other(2, {0, 1}, "theirs");
    const auto without = try_adopt(3); // nor does it need the option
    ASSERT_TRUE(without);
    EXPECT_EQ(without->adoption.of_job, k_source);
    must_commit({3, 1});
    expect_adopted(4, {3, 1});
    const auto own = adopt_other(5, k_source);
    ASSERT_TRUE(own);
    EXPECT_EQ(own->adoption.id, (GenerationId{3, 1}));
    EXPECT_EQ(own->adoption.of_job, 0U);
    EXPECT_TRUE(own->files == images({3, 1}));
}

TEST_F(OtherJobTest, ItsOwnOfTheFirstIncarnationIsTakenToo) {
    commit_by(m_other, {0, 1}, "theirs");
    expect_other(0, {0, 1}, "theirs");
    must_commit({0, 1});
    expect_adopted(1, {0, 1});
    const auto own = adopt_other(2, k_source);
    ASSERT_TRUE(own);
    EXPECT_EQ(own->adoption.of_job, 0U);
    EXPECT_TRUE(own->files == images({0, 1}));
}

TEST_F(OtherJobTest, WhenItsOwnIsDamagedTheOthersIsNext) {
    commit_by(m_other, {0, 1}, "theirs");
    expect_other(0, {0, 1}, "theirs");
    must_commit({0, 1});
    ruin(pack_path({0, 1}));
    const auto taken = adopt_other(1, k_source);
    ASSERT_TRUE(taken) << one_line(taken.error());
    EXPECT_EQ(taken->adoption.found, Found::generation);
    EXPECT_EQ(taken->adoption.of_job, k_source);
    EXPECT_TRUE(taken->files == (Files{{"core-1.img", "theirs"}}));
    EXPECT_THAT(taken->adoption.skipped, ElementsAre(HasSubstr("generation 1 of incarnation 0 is skipped")));
}

TEST_F(OtherJobTest, AnOlderOneOfTheirsWhenTheNewestIsDamaged) {
    commit_by(m_other, {0, 1}, "first");
    commit_by(m_other, {0, 2}, "second");
    std::swap(m_owner, m_other);
    ruin(pack_path({0, 2}));
    std::swap(m_owner, m_other);
    expect_other(0, {0, 1}, "first");
}

TEST_F(OtherJobTest, ANewestOfTheirsThatDoesNotVerifyIsNamed) {
    commit_by(m_other, {0, 1}, "first");
    commit_by(m_other, {0, 2}, "second");
    std::swap(m_owner, m_other);
    ruin(manifest_path({0, 2}));
    std::swap(m_owner, m_other);
    const auto taken = adopt_other(0, k_source);
    ASSERT_TRUE(taken) << one_line(taken.error());
    EXPECT_EQ(taken->adoption.id, (GenerationId{0, 1}));
    EXPECT_THAT(
        taken->adoption.skipped,
        ElementsAre(AllOf(HasSubstr("generation 2 of incarnation 0 is skipped"), HasSubstr("CKPT-603"))));
}

TEST_F(OtherJobTest, ASourceThatIsGoneIsUnusableAndNoFreshStart) {
    commit_by(m_other, {0, 1}, "first");
    expect_other(0, {0, 1}, "first");
    commit_by(m_other, {0, 2}, "second", 1);
    std::swap(m_owner, m_other);
    ASSERT_TRUE(fs::exists(path_of({0, 1}))) << "it was claimed";
    fs::remove_all(path_of({0, 1})); // by the user
    std::swap(m_owner, m_other);
    for (const std::uint32_t job : {0U, k_source}) {
        const auto taken = adopt_other(1, job);
        ASSERT_TRUE(taken) << one_line(taken.error());
        EXPECT_EQ(taken->adoption.found, Found::unusable);
        EXPECT_THAT(taken->adoption.skipped,
                    ElementsAre(HasSubstr("the other job has no generation any more")));
        EXPECT_THAT(taken->files, IsEmpty());
        EXPECT_EQ(taken->adoption.of_job, 0U);
        EXPECT_FALSE(fs::exists(record_path(1, "adopted")));
    }
    fs::remove_all(path_of_other(m_other));
    for (const std::uint32_t job : {0U, k_source}) {
        const auto taken = adopt_other(1, job);
        EXPECT_TRUE(!taken || taken->adoption.found == Found::unusable) << "with all of the job";
        EXPECT_FALSE(fs::exists(record_path(1, "adopted")));
    }
}

TEST_F(OtherJobTest, NothingOlderOfTheirsIsTriedAfterOneThatDidNotRestore) {
    commit_by(m_other, {0, 1}, "first");
    commit_by(m_other, {0, 2}, "second");
    expect_other(0, {0, 2}, "second");
    const auto taken = adopt_other(0, k_source, 0, GenerationId{0, 2});
    ASSERT_TRUE(taken) << one_line(taken.error());
    EXPECT_EQ(taken->adoption.found, Found::unusable);
    EXPECT_FALSE(fs::exists(record_path(0, "adopted"))) << "perhaps another node can";
    expect_other(1, {0, 2}, "second");
}

TEST_F(OtherJobTest, ADamagedRecordIsNoFirstStart) {
    commit_by(m_other, {0, 1}, "theirs");
    expect_other(0, {0, 1}, "theirs");
    ruin(record_path(0, "adopted"));
    const auto taken = adopt_other(1, k_source);
    ASSERT_TRUE(taken) << one_line(taken.error());
    EXPECT_EQ(taken->adoption.found, Found::unusable);
}

TEST_F(OtherJobTest, AJobThatHasCompletedDoesNotGoOnFromAnother) {
    commit_by(m_other, {0, 1}, "theirs");
    expect_other(0, {0, 1}, "theirs");
    ASSERT_TRUE(end_job(0, true));
    const auto taken = adopt_other(1, k_source);
    ASSERT_TRUE(taken) << one_line(taken.error());
    EXPECT_NE(taken->adoption.found, Found::generation);
}

TEST_F(OtherJobTest, WhatAnIncarnationBeforeHasAdoptedIsFencedByIt) {
    must_commit({0, 1});
    commit_by(m_other, {0, 1}, "theirs");
    const auto taken = adopt_other(1, k_source);
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->adoption.of_job, 0U) << "it has something of its own";
    EXPECT_TRUE(taken->files == images({0, 1}));
}

TEST_F(OtherJobTest, JobsAreFoundByWhatTheirManifestsSay) {
    commit_by(m_other, {0, 1}, "theirs");
    must_commit({0, 1});
    fs::create_directories(m_base / "alpha" / "77-00000000" / "inc-0");
    write_file(m_base / "alpha" / "notes", "x");
    LocalVolume here = volume(m_base);
    const auto all = owners_of(here, "alpha", 0);
    ASSERT_TRUE(all);
    EXPECT_THAT(*all, UnorderedElementsAre(m_owner, m_other));
    EXPECT_THAT(*owners_of(here, "alpha", k_source), ElementsAre(m_other));
    EXPECT_THAT(*owners_of(here, "gamma", 0), IsEmpty());
}

// ---- steps of allocations, which have no batch script ----

class ScriptTest : public OtherJobTest {
protected:
    static constexpr std::uint32_t k_normal_step = 3;

    void commit_by_step(std::uint32_t step) {
        const Fd dir = open_path(make_dump({{"core-1.img", "script"}}));
        CommitSpec spec = spec_of(m_other, {0, 1}, 100, dir.get());
        spec.parts.front().about.step_id = step;
        ASSERT_TRUE(commit_to_store(spec));
    }
    Result<Taken> go_on_in(std::uint32_t step) {
        AdoptSpec spec = adoption_by(0, -1);
        spec.step_id = step;
        spec.other_job = k_source;
        spec.unfinished = {"alpha", true, {}};
        return try_adopt(spec, m_base);
    }
    void expect_goes_on_in(std::uint32_t step) {
        const auto taken = go_on_in(step);
        ASSERT_TRUE(taken) << one_line(taken.error());
        EXPECT_EQ(taken->adoption.found, Found::generation);
        EXPECT_TRUE(taken->files == (Files{{"core-1.img", "script"}}));
    }
};

TEST_F(ScriptTest, OneStepGoesOnFromAnother) {
    commit_by_step(k_normal_step);
    expect_goes_on_in(k_normal_step + 4);
}

TEST_F(ScriptTest, ABatchJobGoesOnFromAStep) {
    commit_by_step(k_normal_step);
    expect_goes_on_in(k_step);
}

TEST_F(ScriptTest, NoStepGoesOnFromABatchJob) {
    commit_by_step(k_step);
    const auto refused = go_on_in(k_normal_step);
    expect_none(refused, "job 99 has a batch script");
    EXPECT_THAT(refused.error().hint, HasSubstr("sbatch --checkpoint-restore=99"));
    EXPECT_FALSE(fs::exists(path_of_other(m_other) / "inc-0" / "claimed-4711")) << "it is free for others";
}

// ---- a second one at the same time ----

class DoubleTest : public OtherJobTest {
protected:
    static constexpr std::uint32_t k_first = 98;

    void SetUp() override {
        OtherJobTest::SetUp();
        commit_by(m_other, {0, 1}, "source");
    }
    // Job `who`, while `unfinished` have not ended.
    Result<Taken> go_on(std::uint32_t who, std::vector<std::uint32_t> unfinished,
                        std::uint32_t generation = 0) {
        m_owner.job_id = who;
        AdoptSpec spec = adoption_by(0, -1, {});
        spec.other_job = k_source;
        spec.other_generation = generation;
        spec.unfinished = {"alpha", true, {}};
        for (const std::uint32_t id : unfinished)
            spec.unfinished.ranges.push_back({id, id});
        return try_adopt(spec, m_base);
    }
    [[nodiscard]] bool has_claim_of(std::uint32_t who) const {
        return fs::exists(path_of_other(m_other) / "inc-0" / ("claimed-" + std::to_string(who)));
    }
};

TEST_F(DoubleTest, OneThatHasNotEndedIsInTheWay) {
    ASSERT_TRUE(go_on(k_first, {k_first, 4711}));
    const auto second = go_on(4711, {k_first, 4711});
    expect_none(second, "job 98 goes on from job 99 already, and has not ended");
    EXPECT_THAT(second.error().hint, HasSubstr("--checkpoint-restore=99@GENERATION"));
    EXPECT_FALSE(has_claim_of(4711));
    EXPECT_TRUE(go_on(4711, {4711})) << "one after the other";
    EXPECT_TRUE(has_claim_of(4711));
}

TEST_F(DoubleTest, WhoNamesTheGenerationMeansIt) {
    ASSERT_TRUE(go_on(k_first, {k_first, 4711}));
    EXPECT_TRUE(go_on(4711, {k_first, 4711}, 1));
}

TEST_F(DoubleTest, OnesOwnClaimIsNotInTheWay) {
    ASSERT_TRUE(go_on(4711, {4711}));
    fs::remove(record_path(0, "adopted")); // it was killed in between
    EXPECT_TRUE(go_on(4711, {4711}));
}

TEST_F(DoubleTest, NorMayTheSourceItselfRun) {
    for (const std::uint32_t generation : {0U, 1U})
        expect_none(go_on(4711, {k_source, 4711}, generation), "job 99 has not ended");
}

TEST_F(DoubleTest, AStepOfAnAllocationGoesOnFromAnEarlierOne) {
    for (const std::uint32_t generation : {0U, 1U}) {
        m_owner.uuid = std::string(32, generation == 0 ? 'a' : 'b'); // each has an identity of its own
        const auto taken = go_on(k_source, {k_source}, generation);
        ASSERT_TRUE(taken) << one_line(taken.error());
        EXPECT_EQ(taken->adoption.found, Found::generation);
        EXPECT_TRUE(taken->files == (Files{{"core-1.img", "source"}}));
    }
}

TEST_F(DoubleTest, NotBesideAnotherJobThatHasDone) {
    ASSERT_TRUE(go_on(k_first, {k_first}));
    expect_none(go_on(k_source, {k_first, k_source}), "job 98 goes on from job 99 already");
}

TEST_F(DoubleTest, WhatSlurmctldHasNotSaidIsNotGuessed) {
    AdoptSpec spec = adoption_by(0, -1, {});
    spec.other_job = k_source;
    spec.why_unknown = "no answer";
    expect_none(try_adopt(spec, m_base), "whether job 99 has ended is not known: no answer");
}

TEST_F(DoubleTest, WhoHasComeFromThereGoesOnWhateverOthersDo) {
    ASSERT_TRUE(go_on(4711, {4711}));
    ASSERT_TRUE(go_on(k_first, {4711, k_first}, 1));
    m_owner.job_id = 4711;
    AdoptSpec spec = adoption_by(1, -1, {});
    spec.other_job = k_source;
    spec.unfinished = {"alpha", true, {{k_first, k_first}}};
    const auto again = try_adopt(spec, m_base);
    ASSERT_TRUE(again) << one_line(again.error());
    EXPECT_EQ(again->adoption.found, Found::generation);
}

} // namespace
} // namespace ckpt::store::test
