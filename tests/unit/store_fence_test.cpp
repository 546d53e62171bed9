// SPDX-License-Identifier: GPL-2.0-or-later
// Who may start from what: incarnations, fences, the end of the job.
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FenceTest : public StoreTest {
protected:
    // A commit of a node that was declared dead: it passed its last check before the successor came, so it
    // appears although a successor exists.
    void arrive_late(GenerationId id) {
        const fs::path aside = m_temp.path() / "successors";
        fs::create_directory(aside);
        for (const auto& inc : fs::directory_iterator(job_path())) {
            const auto number = incarnation_of(inc.path().filename().string());
            if (number && *number > id.incarnation) fs::rename(inc.path(), aside / inc.path().filename());
        }
        must_commit(id);
        for (const auto& inc : fs::directory_iterator(aside))
            fs::rename(inc.path(), job_path() / inc.path().filename());
    }
    void fail_job(std::uint32_t incarnation, Failed failed) {
        CompleteSpec spec;
        spec.owner = m_owner;
        spec.incarnation = incarnation;
        spec.failed = failed;
        ASSERT_TRUE(complete_in_store(spec));
    }
    static Failed out_of_memory(std::uint64_t limit) { return {Failed::How::out_of_memory, 9, 0, limit, 0}; }
    static Failed fault(std::uint32_t signal) { return {Failed::How::fault, 139 << 8, 0, 0, signal}; }
};

TEST_F(FenceTest, TheNewestOverAllIncarnationsIsTaken) {
    must_commit({0, 1});
    must_commit({0, 2});
    expect_adopted(1, {0, 2});
    must_commit({1, 3});
    expect_adopted(2, {1, 3});
    expect_adopted(3, {1, 3});
}

TEST_F(FenceTest, ALaterIncarnationIsNewerWhateverTheNumber) {
    must_commit({0, 9});
    must_adopt(1);
    must_commit({1, 3});
    expect_adopted(2, {1, 3});
    EXPECT_EQ(must_adopt(3).adoption.newest_generation, 9U);
}

TEST_F(FenceTest, GenerationsOfLaterIncarnationsAreNotForEarlierOnes) {
    must_commit({0, 1});
    must_commit({2, 2});
    expect_adopted(1, {0, 1});
}

// Output behind the cut is Slurm's for the first successor; a later one finds what the first has written.
TEST_F(FenceTest, NothingRanOnAfterTheCutOnlyForTheFirstSuccessor) {
    const fs::path dump = make_dump(images({0, 1}));
    const Fd dir = open_path(dump);
    CommitSpec spec = spec_of(m_owner, {0, 1}, 2, dir.get());
    spec.tree_was_stopped = true;
    ASSERT_TRUE(commit_to_store(spec));
    EXPECT_TRUE(must_adopt(1).adoption.tree_was_stopped);
    EXPECT_TRUE(must_adopt(1).adoption.tree_was_stopped) << "asked again";
    EXPECT_FALSE(must_adopt(2).adoption.tree_was_stopped);
}

// Certain only when it had been committed.
TEST_F(FenceTest, NothingRanOnAfterTheCutThatARecordNames) {
    must_commit({0, 1});
    must_commit({0, 2});
    CompleteSpec spec;
    spec.owner = m_owner;
    spec.stopped = Stopped{2, 0};
    ASSERT_TRUE(complete_in_store(spec));
    const Taken newest = must_adopt(1);
    EXPECT_EQ(newest.adoption.id, (GenerationId{0, 2}));
    EXPECT_TRUE(newest.adoption.tree_was_stopped);
    EXPECT_FALSE(must_adopt(2).adoption.tree_was_stopped);
    const Taken older = must_adopt(1, GenerationId{0, 2});
    EXPECT_EQ(older.adoption.id, (GenerationId{0, 1}));
    EXPECT_FALSE(older.adoption.tree_was_stopped);
}

TEST_F(FenceTest, LateArrivalsAreIgnored) {
    must_commit({0, 1});
    expect_adopted(1, {0, 1});
    arrive_late({0, 2});
    expect_adopted(1, {0, 1}); // asked again
    expect_adopted(2, {0, 1}); // asked by the next
}

TEST_F(FenceTest, LateArrivalsAreIgnoredByThoseWhoFoundNothing) {
    expect_found(1, Found::nothing);
    arrive_late({0, 1});
    expect_found(1, Found::nothing);
    expect_found(2, Found::nothing);
    must_commit({2, 2});
    expect_adopted(3, {2, 2});
}

TEST_F(FenceTest, AFenceHoldsForEveryOlderIncarnation) {
    must_commit({0, 1});
    expect_adopted(1, {0, 1});
    expect_adopted(2, {0, 1});
    arrive_late({0, 2});
    arrive_late({1, 3});
    expect_adopted(3, {0, 1});
}

TEST_F(FenceTest, AnOwnGenerationIsTakenAndTheFenceStays) {
    must_commit({0, 1});
    expect_adopted(1, {0, 1});
    must_commit({1, 2});
    arrive_late({0, 3});
    expect_adopted(1, {1, 2});
    fs::remove_all(path_of({1, 2}));
    expect_adopted(2, {0, 1});
}

TEST_F(FenceTest, CommitsAreRefusedOnceASuccessorHasAdopted) {
    must_commit({0, 1});
    expect_adopted(1, {0, 1});
    const auto late = commit_files({0, 2}, images({0, 2}));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Code::not_permitted);
    EXPECT_THAT(late.error().what, HasSubstr("incarnation 1 of the job has taken over"));
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000001"));
}

TEST_F(FenceTest, FallingBackIsRecordedAndFences) {
    for (const std::uint32_t generation : {1U, 2U, 3U})
        must_commit({0, generation});
    expect_adopted(1, {0, 3});
    expect_adopted(1, {0, 2}, GenerationId{0, 3});
    expect_adopted(2, {0, 2});
    expect_adopted(2, {0, 1}, GenerationId{0, 2});
    expect_adopted(3, {0, 1});
}

TEST_F(FenceTest, WhoFindsNothingToFallBackToLeavesEverythingToTheNext) {
    must_commit({0, 1});
    must_commit({0, 2});
    expect_adopted(1, {0, 2});
    expect_adopted(1, {0, 1}, GenerationId{0, 2});
    expect_found(1, Found::unusable, GenerationId{0, 1});
    EXPECT_FALSE(fs::exists(record_path(1, "adopted")));
    expect_adopted(2, {0, 2}); // on a node where it restores
}

TEST_F(FenceTest, WhoHasCommittedKeepsItsFence) {
    must_commit({0, 1});
    expect_adopted(1, {0, 1});
    must_commit({1, 2});
    expect_found(1, Found::unusable, GenerationId{0, 1});
    EXPECT_TRUE(fs::exists(record_path(1, "adopted")));
}

TEST_F(FenceTest, ALostGenerationIsNotAFreshStart) {
    must_commit({0, 1});
    expect_adopted(1, {0, 1});
    fs::remove_all(path_of({0, 1}));
    const Taken taken = must_adopt(2);
    EXPECT_EQ(taken.adoption.found, Found::unusable);
    EXPECT_THAT(taken.adoption.skipped, ElementsAre(HasSubstr("lost")));
}

TEST_F(FenceTest, ADamagedRecordHidesWhatIsOlder) {
    must_commit({0, 1});
    expect_adopted(1, {0, 1});
    write_file(record_path(1, "adopted"), "garbage\n");
    const Taken taken = must_adopt(2);
    EXPECT_EQ(taken.adoption.found, Found::unusable);
    EXPECT_THAT(taken.adoption.skipped, ElementsAre(HasSubstr("inc-1/adopted")));
    must_commit({2, 2});
    expect_adopted(3, {2, 2});
}

TEST_F(FenceTest, ARecordOfAnotherIncarnationIsDamage) {
    must_commit({0, 1});
    must_commit({0, 2});
    expect_adopted(1, {0, 2});
    expect_adopted(1, {0, 1}, GenerationId{0, 2});
    fs::create_directory(job_path() / "inc-2");
    fs::copy(record_path(1, "adopted"), record_path(2, "adopted"));
    EXPECT_EQ(must_adopt(3).adoption.found, Found::unusable);
}

TEST_F(FenceTest, AnIncarnationThatCannotBeReadMayHideGenerations) {
    must_commit({0, 1});
    fs::create_symlink("inc-0", job_path() / "inc-1");
    EXPECT_EQ(must_adopt(2).adoption.found, Found::unusable);
}

TEST_F(FenceTest, ACompletedJobIsNeverRestored) {
    must_commit({0, 1});
    ASSERT_TRUE(end_job(0, false));
    expect_found(1, Found::completed);
    expect_found(2, Found::completed);
    EXPECT_EQ(must_adopt(3).adoption.newest_generation, 1U);
}

TEST_F(FenceTest, CompletedAndDropped) {
    must_commit({0, 1});
    must_commit({0, 2});
    ASSERT_TRUE(end_job(0, true));
    EXPECT_THAT(listing(), IsEmpty());
    const Taken taken = must_adopt(1);
    EXPECT_EQ(taken.adoption.found, Found::completed);
    EXPECT_EQ(taken.adoption.newest_generation, 2U);
}

TEST_F(FenceTest, GenerationsAfterTheEndCount) {
    must_commit({0, 1});
    ASSERT_TRUE(end_job(0, false));
    expect_found(1, Found::completed); // requeued by hand: starts anew
    must_commit({1, 2});
    expect_adopted(2, {1, 2});
    fs::remove(path_of({1, 2}) / "manifest");
    expect_found(3, Found::unusable);
}

TEST_F(FenceTest, AnEndThatArrivesLateIsIgnored) {
    must_commit({0, 1});
    expect_adopted(1, {0, 1});
    const auto refused = end_job(0, true);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::not_permitted);
    fs::rename(job_path() / "inc-1", m_temp.path() / "inc-1");
    ASSERT_TRUE(end_job(0, false)); // as if it had passed the check before
    fs::rename(m_temp.path() / "inc-1", job_path() / "inc-1");
    expect_adopted(2, {0, 1});
}

TEST_F(FenceTest, ADamagedEndIsNotIgnored) {
    must_commit({0, 1});
    ASSERT_TRUE(end_job(0, false));
    write_file(record_path(0, "completed"), "");
    const Taken taken = must_adopt(1);
    EXPECT_EQ(taken.adoption.found, Found::unusable);
    EXPECT_THAT(taken.adoption.skipped, ElementsAre(HasSubstr("inc-0/completed")));
}

TEST_F(FenceTest, NoCommitAfterTheEnd) {
    must_commit({0, 1});
    ASSERT_TRUE(end_job(0, true));
    const auto late = commit_files({0, 2}, images({0, 2}));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Code::not_permitted);
}

TEST_F(FenceTest, AJobThatLeftNothingNeedsNoRecord) {
    ASSERT_TRUE(end_job(0, true));
    EXPECT_FALSE(fs::exists(job_path()));
}

TEST_F(FenceTest, AFailureLeavesTheGenerationsAndIsKnownToTheNext) {
    must_commit({0, 1});
    fail_job(0, out_of_memory(100));
    const Taken taken = must_adopt(1);
    EXPECT_EQ(taken.adoption.found, Found::generation);
    ASSERT_TRUE(taken.adoption.last_failure.failed);
    EXPECT_EQ(taken.adoption.last_failure.failed->how, Failed::How::out_of_memory);
    EXPECT_EQ(taken.adoption.last_failure.failed->memory_limit, 100U);
    EXPECT_GT(taken.adoption.last_failure.failed->at, 0);
    EXPECT_FALSE(taken.adoption.last_failure.fault_again);
}

// An incarnation that was held has no end on record: whoever releases the job gives it another try.
TEST_F(FenceTest, AFailureIsForgottenByTheOneAfterNext) {
    must_commit({0, 1});
    fail_job(0, out_of_memory(100));
    must_adopt(1);
    EXPECT_FALSE(must_adopt(2).adoption.last_failure.failed);
}

TEST_F(FenceTest, TheSameFaultFromOneGenerationIsNoticed) {
    must_commit({0, 1});
    fail_job(0, fault(11));
    EXPECT_FALSE(must_adopt(1).adoption.last_failure.fault_again) << "it came once";
    fail_job(1, fault(11));
    EXPECT_TRUE(must_adopt(2).adoption.last_failure.fault_again);
    EXPECT_FALSE(must_adopt(3).adoption.last_failure.failed) << "the second was held, and released";
    fail_job(3, fault(11));
    EXPECT_TRUE(must_adopt(4).adoption.last_failure.fault_again);
    fail_job(4, fault(8));
    EXPECT_FALSE(must_adopt(5).adoption.last_failure.fault_again) << "another fault";
}

TEST_F(FenceTest, AFaultAfterANewGenerationIsANewOne) {
    must_commit({0, 1});
    fail_job(0, fault(11));
    must_adopt(1);
    must_commit({1, 2});
    fail_job(1, fault(11));
    EXPECT_FALSE(must_adopt(2).adoption.last_failure.fault_again);
}

TEST_F(FenceTest, AFailureThatDoesNotVerifyIsNone) {
    must_commit({0, 1});
    fail_job(0, out_of_memory(100));
    std::string text = read_file(record_path(0, "failed"));
    text[text.find("100")] = '9';
    text[text.rfind("100,")] = '9';
    write_file(record_path(0, "failed"), text);
    const Taken taken = must_adopt(1);
    EXPECT_EQ(taken.adoption.found, Found::generation);
    EXPECT_FALSE(taken.adoption.last_failure.failed);
}

TEST_F(FenceTest, AFailureOfAnIncarnationThatWasSucceededIsNotRecorded) {
    must_commit({0, 1});
    must_adopt(1);
    CompleteSpec spec;
    spec.owner = m_owner;
    spec.failed = fault(11);
    EXPECT_FALSE(complete_in_store(spec));
}

} // namespace
} // namespace ckpt::store::test
