// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/packs.hpp"
#include "store_faults.hpp"
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PruneTest : public StoreTest {};

// A directory in which something happens while a file is opened.
class WatchedVolume final : public Volume {
public:
    using Around = std::function<void(const std::string& path, bool before)>;
    WatchedVolume(const fs::path& where, Around around)
        : m_volume(open_path(where), where), m_around(std::move(around)) {}
    [[nodiscard]] const std::string& name() const override { return m_volume.name(); }
    Result<std::vector<std::string>> list(const std::string& dir) override { return m_volume.list(dir); }
    Status make_dir(const std::string& path) override { return m_volume.make_dir(path); }
    Result<std::unique_ptr<NewFile>> create(const std::string& path) override {
        return m_volume.create(path);
    }
    Result<std::unique_ptr<OldFile>> open(const std::string& path) override {
        m_around(path, true);
        auto file = m_volume.open(path);
        m_around(path, false);
        return file;
    }
    Result<std::string> read(const std::string& path, std::size_t max) override {
        m_around(path, true);
        auto bytes = m_volume.read(path, max);
        m_around(path, false);
        return bytes;
    }
    Status rename(const std::string& from, const std::string& to) override {
        return m_volume.rename(from, to);
    }
    Status sync(const std::string& dir) override { return m_volume.sync(dir); }
    Status remove(const std::string& path) override { return m_volume.remove(path); }
    Result<Space> space() override { return m_volume.space(); }
    Result<Usage> usage(const std::string& path) override { return m_volume.usage(path); }

private:
    LocalVolume m_volume;
    Around m_around;
};

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

// A node died in the middle of one, and the job goes on elsewhere.
TEST_F(PruneTest, LeftoversOfAKilledCommitOfAnEarlierIncarnationGo) {
    must_commit({0, 1});
    fs::create_directory(job_path() / "inc-0" / ".tmp-gen-000002");
    write_file(job_path() / "inc-0" / ".tmp-gen-000002" / "index-0-0", "half");
    write_file(job_path() / "packs" / ("inc-0-" + std::string(32, 'a')), "half");
    write_file(record_path(0, ".tmp-adopted-0011223344556677"), "half");
    expect_adopted(1, {0, 1});
    EXPECT_EQ(must_adopt(1).adoption.newest_generation, 2U);
    must_commit({1, 3}, 1);
    EXPECT_THAT(listing(), ElementsAre("inc-1/gen-000003"));
    EXPECT_THAT(packs(), ElementsAre(pack_path({1, 3}).filename().string()));
    EXPECT_TRUE(fs::is_empty(job_path() / "inc-0"));
}

// The last removal or commit of a job failed: nothing comes after it that would tidy up.
TEST_F(PruneTest, AtTheEndNothingIsLeftOfWhatFailed) {
    must_commit({0, 1});
    must_commit({0, 2});
    fs::rename(path_of({0, 1}), job_path() / "inc-0" / ".trash-gen-000001");
    fs::create_directory(job_path() / "inc-0" / ".tmp-gen-000003");
    write_file(job_path() / "inc-0" / ".tmp-gen-000003" / "index-0-0", "half");
    write_file(job_path() / "packs" / ("inc-0-" + std::string(32, 'a')), "half");
    ASSERT_TRUE(complete_in_store({m_owner, 0, 7 << 8, false}));
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000002"));
    EXPECT_THAT(packs(), ElementsAre(pack_path({0, 2}).filename().string()));
    EXPECT_FALSE(fs::exists(job_path() / "inc-0" / ".trash-gen-000001"));
    EXPECT_FALSE(fs::exists(job_path() / "inc-0" / ".tmp-gen-000003"));
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

// prune() renames a generation before it sees the record that keeps it, and then back: for a moment it is not
// where it was.
TEST_F(PruneTest, WhatIsAwayForAMomentIsAdoptedAllTheSame) {
    must_commit({0, 1});
    must_commit({0, 2});
    const fs::path trash = job_path() / "inc-0" / ".trash-gen-000002";
    int reads = 0;
    WatchedVolume watched(m_base, [&](const std::string& path, bool before) {
        if (!path.ends_with("gen-000002/index-4294967291-0")) return;
        if (before && ++reads == 1) fs::rename(path_of({0, 2}), trash);
        if (!before && fs::exists(trash)) fs::rename(trash, path_of({0, 2}));
    });
    const fs::path target = make_dump({});
    const Fd dir = open_path(target);
    const auto adoption = adopt(Store{watched, m_keys}, adoption_by(1, dir.get()));
    ASSERT_TRUE(adoption) << one_line(adoption.error());
    EXPECT_EQ(adoption->id, (GenerationId{0, 2}));
    EXPECT_THAT(adoption->skipped, IsEmpty());
    EXPECT_TRUE(files_in(target) == images({0, 2}));
}

// Removed for good between the look at its directory and the one at its manifest: not damaged, gone.
TEST_F(PruneTest, WhatGoesWhileItsManifestIsReadIsChosenAnew) {
    must_commit({0, 1});
    must_commit({0, 2});
    WatchedVolume watched(m_base, [&](const std::string& path, bool before) {
        if (before && path.ends_with("gen-000002/manifest") && fs::exists(path_of({0, 2})))
            must_commit({0, 3}, 1);
    });
    const fs::path target = make_dump({});
    const Fd dir = open_path(target);
    const auto adoption = adopt(Store{watched, m_keys}, adoption_by(1, dir.get()));
    ASSERT_TRUE(adoption) << one_line(adoption.error());
    EXPECT_EQ(adoption->id, (GenerationId{0, 3}));
    EXPECT_THAT(adoption->skipped, IsEmpty());
}

// A generation that is on its way out and comes back needs its packs.
TEST_F(PruneTest, PacksOfWhatMayBePutBackStay) {
    must_commit({0, 1});
    must_commit({0, 2});
    const std::string pack = pack_path({0, 2}).filename();
    fs::rename(path_of({0, 2}), job_path() / "inc-0" / ".trash-gen-000002");
    LocalVolume here = volume(m_base);
    const auto job = job_at(Store{here, m_keys}, m_owner);
    ASSERT_TRUE(sweep_packs(*job, 0));
    EXPECT_THAT(packs(), Contains(pack));
    fs::remove_all(job_path() / "inc-0" / ".trash-gen-000002");
    ASSERT_TRUE(sweep_packs(*job, 0));
    EXPECT_THAT(packs(), ::testing::Not(Contains(pack)));
}

// A node that was declared dead sweeps while its successor, which shares packs with it, is at work.
TEST_F(PruneTest, PacksAreNotSweptBehindASuccessorsBack) {
    must_commit({0, 1});
    const std::string pack = pack_path({0, 1}).filename();
    fs::rename(path_of({0, 1}), m_temp.path() / "seen by the successor only");
    expect_found(1, Found::nothing);
    LocalVolume here = volume(m_base);
    const auto job = job_at(Store{here, m_keys}, m_owner);
    ASSERT_TRUE(sweep_packs(*job, 0));
    EXPECT_THAT(packs(), ElementsAre(pack));
    ASSERT_TRUE(sweep_packs(*job, 1));
    EXPECT_THAT(packs(), IsEmpty());
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
