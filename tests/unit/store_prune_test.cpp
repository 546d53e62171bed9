// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/wait.h>

#include <random>

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
    write_file(path_of({0, 3}) / "manifest", "garbage");
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
    const Fd base = open_path(m_base);
    const std::string temp_of_record = "adopted";
    Faults faults;
    faults.before("renameat", temp_of_record, [&] { must_commit({0, 3}, 1); });
    const auto adoption = adopt(Base{base.get(), m_base}, m_key, {m_owner, 1, k_step, 0, {}, dir.get()});
    ASSERT_TRUE(adoption) << one_line(adoption.error());
    ASSERT_EQ(adoption->found, Found::generation) << ::testing::PrintToString(adoption->skipped);
    EXPECT_EQ(adoption->id, (GenerationId{0, 3}));
    EXPECT_TRUE(files_in(target) == images({0, 3}));
    expect_adopted(2, {0, 3});
}

// Random lives of a job: commits, restarts, fallbacks and crashes at any system call. Whatever happens, every
// generation that is kept can be restored with exactly the content it was committed with, nothing committed
// for good is lost while it is among the newest, and the numbers never repeat.
class LifeTest : public StoreTest, public ::testing::WithParamInterface<unsigned> {
protected:
    bool crashes(const std::function<bool()>& work) {
        const int call = std::uniform_int_distribution(1, 60)(m_random);
        const pid_t child = ::fork();
        if (child == 0) {
            Faults faults;
            faults.die_at(call);
            ::_exit(work() ? 0 : 1);
        }
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        return WEXITSTATUS(status) == Faults::k_died;
    }
    bool chance(int percent) { return std::uniform_int_distribution(1, 100)(m_random) <= percent; }

    // Everything an incarnation after this one could restore, newest first, found by falling back step by
    // step in a copy of the store.
    std::vector<GenerationId> restorable() {
        const fs::path copy = m_temp.path() / "copy";
        fs::remove_all(copy);
        fs::copy(m_base, copy, fs::copy_options::recursive);
        std::vector<GenerationId> found;
        std::optional<GenerationId> before;
        for (;;) {
            const Taken taken = must_adopt(m_incarnation + 1, before, copy);
            EXPECT_THAT(taken.adoption.skipped, IsEmpty());
            if (taken.adoption.found != Found::generation) return found;
            EXPECT_TRUE(taken.files == images(taken.adoption.id));
            found.push_back(taken.adoption.id);
            before = taken.adoption.id;
        }
    }
    void commit_step() {
        const GenerationId id{m_incarnation, ++m_generation};
        const auto keep = static_cast<std::uint32_t>(std::uniform_int_distribution(1, 3)(m_random));
        const bool killed =
            chance(30) && crashes([&] { return commit_files(id, images(id), keep).has_value(); });
        if (!killed && !fs::exists(path_of(id))) must_commit(id, keep);
        if (!killed) m_safe.push_back(id);
        const auto now = restorable();
        ASSERT_EQ(now.empty(), m_safe.empty() && !fs::exists(path_of(id)));
        EXPECT_TRUE(m_safe.empty() || now.front() >= m_safe.back());
        // One that was killed may have pruned already, but then it was there itself.
        EXPECT_GE(now.size(), std::min<std::size_t>(keep, m_safe.size()));
        m_safe.assign(now.rbegin(), now.rend());
    }
    void restart_step() {
        ++m_incarnation;
        if (chance(30)) crashes([&] { return try_adopt(m_incarnation).has_value(); });
        const Taken taken = must_adopt(m_incarnation);
        EXPECT_GE(taken.adoption.newest_generation, m_safe.empty() ? 0 : m_safe.back().generation);
        m_generation = std::max(m_generation, taken.adoption.newest_generation);
        if (taken.adoption.found == Found::nothing) {
            EXPECT_THAT(m_safe, IsEmpty());
            return;
        }
        ASSERT_EQ(taken.adoption.found, Found::generation)
            << ::testing::PrintToString(taken.adoption.skipped);
        GenerationId from = taken.adoption.id;
        EXPECT_TRUE(m_safe.empty() || from >= m_safe.back());
        const auto all = restorable();
        if (all.size() > 1 && chance(40)) { // it does not restore: the one before
            from = must_adopt(m_incarnation, from).adoption.id;
            EXPECT_EQ(from, all[1]);
        }
        m_safe = restorable();
        std::ranges::reverse(m_safe);
        ASSERT_THAT(m_safe, ::testing::Not(IsEmpty()));
        EXPECT_EQ(m_safe.back(), from);
    }

    std::mt19937 m_random{GetParam()};
    std::uint32_t m_incarnation = 0;
    std::uint32_t m_generation = 0;
    std::vector<GenerationId> m_safe; // oldest first: what must still be restorable
};

TEST_P(LifeTest, EveryKeptGenerationRestores) {
    must_adopt(0);
    for (int step = 0; step < 20 && !HasFatalFailure(); ++step)
        chance(70) ? commit_step() : restart_step();
}

INSTANTIATE_TEST_SUITE_P(Seeds, LifeTest, ::testing::Range(1U, 13U));

} // namespace
} // namespace ckpt::store::test
