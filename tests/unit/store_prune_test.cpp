// SPDX-License-Identifier: GPL-2.0-or-later
#include "store_faults.hpp"
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PruneTest : public StoreTest {};

TEST_F(PruneTest, TheNewestAreKept) {
    for (std::uint32_t generation = 1; generation <= 5; ++generation)
        must_commit({0, generation}, 3);
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000003", "inc-0/gen-000004", "inc-0/gen-000005"));
    must_commit({0, 6}, 1);
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000006"));
    must_commit({0, 7}, 0); // at least the one just made
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000007"));
}

TEST_F(PruneTest, CountedOverAllIncarnations) {
    must_commit({0, 1});
    must_commit({0, 2});
    expect_adopted(1, {0, 2});
    must_commit({1, 3}, 2);
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000002", "inc-1/gen-000003"));
    must_commit({1, 4}, 2);
    EXPECT_THAT(listing(), ElementsAre("inc-1/gen-000003", "inc-1/gen-000004"));
}

TEST_F(PruneTest, TheFencedGoAndDoNotCount) {
    must_commit({0, 1});
    must_commit({0, 2});
    must_commit({0, 3});
    expect_adopted(1, {0, 3});
    expect_adopted(1, {0, 2}, GenerationId{0, 3});
    must_commit({1, 4}, 3);
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000001", "inc-0/gen-000002", "inc-1/gen-000004"));
}

TEST_F(PruneTest, WhatDoesNotVerifyDoesNotCount) {
    for (const std::uint32_t generation : {1U, 2U, 3U})
        must_commit({0, generation});
    write_file(manifest_path({0, 3}), "garbage");
    must_commit({0, 4}, 2);
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000002", "inc-0/gen-000003", "inc-0/gen-000004"));
    must_commit({0, 5}, 2);
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000004", "inc-0/gen-000005"));
}

TEST_F(PruneTest, BehindADamagedRecordNothingGoesUntilThereIsEnough) {
    must_commit({0, 1});
    expect_adopted(1, {0, 1});
    write_file(job_path() / "inc-1" / "adopted", "garbage");
    must_commit({1, 2}, 2);
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000001", "inc-1/gen-000002"));
    must_commit({1, 3}, 2);
    EXPECT_THAT(listing(), ElementsAre("inc-1/gen-000002", "inc-1/gen-000003"));
}

TEST_F(PruneTest, LeftoversOfAKilledRemovalGo) {
    must_commit({0, 1});
    fs::rename(path_of({0, 1}), job_path() / "inc-0" / ".trash-gen-000001");
    must_commit({0, 2});
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000002"));
}

// The successor came between the last check of a late commit and its rename.
TEST_F(PruneTest, ALateCommitPrunesNothing) {
    must_commit({0, 1});
    must_commit({0, 2});
    Faults faults;
    faults.before("renameat", "gen-000003", [&] { expect_adopted(1, {0, 2}); });
    must_commit({0, 3}, 1);
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000001", "inc-0/gen-000002", "inc-0/gen-000003"));
    expect_adopted(2, {0, 2});
}

// The successor recorded its adoption while the generation was on its way out.
TEST_F(PruneTest, WhatASuccessorAdoptsMeanwhileIsPutBack) {
    must_commit({0, 1});
    must_commit({0, 2});
    Faults faults;
    faults.before("renameat", ".trash-gen-000002", [&] { expect_adopted(1, {0, 2}, GenerationId{0, 3}); });
    const auto done = commit_files({0, 3}, images({0, 3}), 1);
    ASSERT_TRUE(done);
    EXPECT_THAT(done->notes, ElementsAre(HasSubstr("taken over")));
    EXPECT_THAT(listing(), Contains("inc-0/gen-000002"));
    expect_adopted(2, {0, 2});
}

// The generation was removed after the successor had chosen it and before its record could be seen.
TEST_F(PruneTest, WhatVanishesWhileItIsAdoptedIsChosenAnew) {
    must_commit({0, 1});
    must_commit({0, 2});
    const fs::path target = make_dump({});
    const Fd dir = open_path(target);
    Faults faults;
    faults.before("renameat", "adopted", [&] { must_commit({0, 3}, 1); });
    const auto adoption = adopt_from_store(adoption_by(1, dir.get()));
    ASSERT_TRUE(adoption) << one_line(adoption.error());
    ASSERT_EQ(adoption->found, Found::generation) << ::testing::PrintToString(adoption->skipped);
    EXPECT_EQ(adoption->id, (GenerationId{0, 3}));
    EXPECT_TRUE(files_in(target) == images({0, 3}));
    expect_adopted(2, {0, 3});
}

} // namespace
} // namespace ckpt::store::test
