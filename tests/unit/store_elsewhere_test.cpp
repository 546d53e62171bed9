// SPDX-License-Identifier: GPL-2.0-or-later
// A generation whose parts several nodes seal is whole or it is not.
#include <ctime>
#include <random>

#include "store/retention_look.hpp"
#include "store/retention_run.hpp"
#include "store_elsewhere_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr GenerationId k_one{0, 1};
constexpr GenerationId k_two{0, 2};

class SharedTest : public ElsewhereTest, public ::testing::WithParamInterface<const char*> {
protected:
    SharedTest() { m_remote = std::string_view(GetParam()) == "remote"; }

    // Both are sealed, then `change` is made to the second generation's directory: no generation comes of it,
    // and nothing stays.
    void expect_refused(const std::string& why, const std::function<void(const fs::path&)>& change) {
        const auto packs_before = packs();
        const auto listing_before = listing();
        const auto done = commit_with(k_two, names_of(others(k_two)), [&] {
            const Status sealed = seal_each(k_two, others(k_two));
            EXPECT_TRUE(sealed) << one_line(sealed.error());
            change(temp_path(k_two));
            return Status{};
        });
        ASSERT_FALSE(done) << why;
        EXPECT_EQ(done.error().code, Code::store_corrupt) << why;
        EXPECT_THAT(done.error().what, HasSubstr(why));
        EXPECT_EQ(listing(), listing_before) << why;
        EXPECT_EQ(packs(), packs_before) << why;
    }
    // The part file of the first of others() that a commit of that generation would get.
    fs::path part_of(const Owner& owner, GenerationId id) {
        const fs::path copy = m_temp.path() / ("part-of-" + std::to_string(m_copies++));
        const auto done = commit_with(owner, id, names_of(others(id)), [&] {
            const auto sealed = seal(sealing(owner, id, {others(id).front()}), m_keys);
            EXPECT_TRUE(sealed) << one_line(sealed.error());
            const fs::path inc =
                m_base / owner.cluster / job_dir_name(owner) / incarnation_dir_name(id.incarnation);
            fs::copy_file(inc / (".tmp-" + generation_dir_name(id.generation)) / "part-0-1", copy);
            return fail(Code::dump_failed, "the other node did not get there");
        });
        EXPECT_FALSE(done);
        return copy;
    }

    int m_copies = 0;
};

INSTANTIATE_TEST_SUITE_P(Volumes, SharedTest, ::testing::Values("local", "remote"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_P(SharedTest, EveryPartComesBack) {
    must_commit_all(k_one);
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000001"));
    EXPECT_THAT(names_in(path_of(k_one)),
                ElementsAre("index-0-1", "index-3-0", "index-4294967291-0", "manifest"));
    const Manifest manifest = manifest_of(k_one);
    ASSERT_THAT(manifest.parts, SizeIs(3));
    EXPECT_EQ(manifest.parts[0].node, "n1");
    EXPECT_EQ(manifest.part_of(k_first, 1)->node, "n2");
    EXPECT_EQ(manifest.part_of(k_second, 0)->node, "n3");
    EXPECT_EQ(manifest.part_of(k_second, 0)->frozen_us, 900U);
    expect_all_restored(1, k_one);
}

TEST_P(SharedTest, WhatTheOthersWriteCounts) {
    std::uint64_t by_others = 0;
    const auto done = commit_with(k_one, names_of(others(k_one)), [&]() -> Status {
        CKPT_TRY(by_others, seal(k_one, others(k_one)));
        return {};
    });
    ASSERT_TRUE(done) << one_line(done.error());
    std::uint64_t bytes = 0;
    for (const fs::path& dir : {path_of(k_one), job_path() / "packs"})
        for (const auto& entry : fs::directory_iterator(dir))
            bytes += entry.file_size();
    EXPECT_EQ(done->stored_bytes, bytes);
    EXPECT_EQ(manifest_of(k_one).stored_bytes, bytes - fs::file_size(manifest_path(k_one)));
    EXPECT_GT(by_others, 0U);
    EXPECT_LT(by_others, bytes);
}

TEST_P(SharedTest, TheOrderIsAlwaysTheSame) {
    auto tasks = others(k_one);
    std::ranges::reverse(tasks);
    const auto done = commit_all(k_one, tasks);
    ASSERT_TRUE(done) << one_line(done.error());
    const Manifest manifest = manifest_of(k_one);
    ASSERT_THAT(manifest.parts, SizeIs(3));
    EXPECT_EQ(manifest.parts[1].step_id, 0U);
    EXPECT_EQ(manifest.parts[2].step_id, 3U);
}

TEST_P(SharedTest, AGenerationMayBeOfOtherNodesPartsAlone) {
    CommitSpec spec = spec_of(m_owner, k_one, 100, -1);
    spec.parts.clear();
    spec.elsewhere = {names_of(others(k_one)), [] { return Status{}; },
                      [&] { return seal_each(k_one, others(k_one)); }};
    const auto done = on_store<CommitDone>(m_keys, [&](const Store& store) { return commit(store, spec); });
    ASSERT_TRUE(done) << one_line(done.error());
    EXPECT_THAT(manifest_of(k_one).parts, SizeIs(2));
}

// Pages that the generation before has are not stored again, wherever they were sealed.
TEST_P(SharedTest, PagesAreSharedWithTheGenerationBefore) {
    std::mt19937 random(1); // NOLINT(cert-msc32-c,cert-msc51-cpp): a fixed seed repeats a failure
    std::string memory(std::size_t{128} * 4096, '\0');
    std::ranges::generate(memory, [&] { return static_cast<char>(random()); });
    const auto tasks = [&](GenerationId id) {
        auto all = others(id);
        for (OtherTask& task : all) {
            task.files["pages-1.img"] = task.node + memory;
            task.files["pages-1.img"].resize(memory.size());
        }
        return all;
    };
    const auto first = commit_all(k_one, tasks(k_one));
    ASSERT_TRUE(first) << one_line(first.error());
    EXPECT_GT(first->stored_bytes, 2 * memory.size()) << "or the test shows nothing";
    const auto second = commit_all(k_two, tasks(k_two));
    ASSERT_TRUE(second) << one_line(second.error());
    EXPECT_LT(second->stored_bytes, memory.size() / 8);
    expect_all_restored(1, k_two, tasks(k_two));
}

TEST_P(SharedTest, WhatIsMissingOrAlteredIsRefused) {
    must_commit_all(k_one);
    expect_refused("part-0-1: is missing", [](const fs::path& dir) { fs::remove(dir / "part-0-1"); });
    expect_refused("part-3-0", [](const fs::path& dir) { ruin(dir / "part-3-0"); });
    expect_refused("part-3-0", [](const fs::path& dir) { write_file(dir / "part-3-0", ""); });
    expect_refused("part-3-0: the part of another task", [](const fs::path& dir) {
        fs::copy_file(dir / "part-0-1", dir / "part-3-0", fs::copy_options::overwrite_existing);
    });
    must_commit_all(k_two);
    expect_all_restored(1, k_two);
}

TEST_P(SharedTest, WhatWasSealedForAnotherPlaceIsRefused) {
    must_commit_all(k_one);
    const auto plant = [](const fs::path& part) {
        return [part](const fs::path& dir) {
            fs::copy_file(part, dir / "part-0-1", fs::copy_options::overwrite_existing);
        };
    };
    Owner other = m_owner;
    other.job_id = 99;
    expect_refused("the seal does not match", plant(part_of(other, k_two)));
    expect_refused("a part of another generation", plant(part_of(m_owner, {0, 3})));
    const fs::path later = part_of(m_owner, {1, 2});
    expect_refused("a part of another generation", plant(later));
    expect_refused("an earlier attempt", plant(part_of(m_owner, k_two)));
    must_commit_all(k_two);
    expect_all_restored(1, k_two);
}

TEST_P(SharedTest, APartThatNobodyAskedForIsRefused) {
    must_commit_all(k_one);
    const OtherTask more{9, 9, 9, "n4", {{"core-9.img", "nobody's"}}};
    expect_refused("part-9-9: a part that does not belong",
                   [&](const fs::path&) { EXPECT_TRUE(seal(k_two, {more})); });
    OtherTask task = others(k_two).front();
    const auto done = commit_with(k_two, {{k_second, task.step_id, task.task_id}},
                                  [&] { return seal_each(k_two, {task}); });
    ASSERT_FALSE(done) << "of another stand-in";
    EXPECT_THAT(done.error().what, HasSubstr("the part of another task"));
    expect_all_restored(1, k_one);
}

TEST_P(SharedTest, CommitsThatMakeNoSenseAreRefused) {
    auto parts = names_of(others(k_one));
    parts.push_back(parts.front());
    const auto never = [] { return Status{}; };
    EXPECT_EQ(commit_with(k_one, parts, never).error().code, Code::internal);
    EXPECT_EQ(commit_with(k_one, {{0, k_step, 0}}, never).error().code, Code::internal) << "is here";
    EXPECT_EQ(seal(k_one, {}).error().code, Code::internal);
    EXPECT_EQ(seal({0, 0}, others(k_one)).error().code, Code::internal);
    EXPECT_THAT(listing(), IsEmpty());
}

TEST_P(SharedTest, WhenAnotherNodeFailsThereIsNoGeneration) {
    must_commit_all(k_one);
    const auto packs_before = packs();
    const auto done = commit_with(k_two, names_of(others(k_two)), [&]() -> Status {
        CKPT_CHECK(seal_each(k_two, {others(k_two).front()}));
        return fail(Code::store_full, "n3: no space", "free some there");
    });
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::store_full);
    EXPECT_THAT(done.error().what, HasSubstr("n3: no space"));
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000001"));
    EXPECT_EQ(packs(), packs_before);
    expect_all_restored(1, k_one);
}

// Be it after the first of its parts was sealed.
TEST_P(SharedTest, ANodeThatFailsTakesItsPacksWithIt) {
    must_commit_all(k_one);
    const auto done = commit_with(k_two, names_of(others(k_two)), [&]() -> Status {
        const auto before = packs();
        auto tasks = others(k_two);
        tasks.back().files = {{".hidden", "no image"}};
        const auto sealed = seal(k_two, tasks);
        EXPECT_FALSE(sealed);
        EXPECT_EQ(packs(), before);
        EXPECT_FALSE(fs::exists(temp_path(k_two) / "part-0-1")) << "all of them or none";
        if (sealed) return {};
        return tl::unexpected(sealed.error());
    });
    EXPECT_FALSE(done);
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000001"));
    must_commit_all(k_two);
}

// Another node has made the job's directory: where it is not there, the store is not.
TEST_P(SharedTest, ANodeWithoutTheStoreSaysSo) {
    const auto sealed = seal(k_one, others(k_one));
    ASSERT_FALSE(sealed);
    EXPECT_EQ(sealed.error().code, Code::store_unwritable);
    EXPECT_THAT(sealed.error().what, HasSubstr("its directory is not there"));
    EXPECT_THAT(sealed.error().hint, HasSubstr("is its file system mounted on this node?"));
    EXPECT_FALSE(fs::exists(m_base / "alpha"));
}

TEST_P(SharedTest, WhoComesTooLateFailsAndLeavesNothing) {
    must_commit_all(k_one);
    const auto packs_before = packs();
    const auto given_up =
        commit_with(k_two, names_of(others(k_two)), [] { return fail(Code::deadline, "not there in time"); });
    EXPECT_FALSE(given_up);
    const auto late = seal(k_two, others(k_two));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Code::deadline);
    EXPECT_THAT(late.error().what, HasSubstr("generation 2 of incarnation 0 is not on its way to"));
    EXPECT_EQ(packs(), packs_before);
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000001"));
    EXPECT_EQ(seal(k_one, others(k_one)).error().code, Code::internal) << "is there already";
}

TEST_P(SharedTest, WhoseJobHasGoneOnElsewhereMayNotSeal) {
    must_commit_all(k_one);
    const auto done = commit_with(k_two, names_of(others(k_two)), [&]() -> Status {
        expect_adopted(1, k_one);
        const auto sealed = seal(k_two, others(k_two));
        EXPECT_EQ(sealed.error().code, Code::not_permitted);
        EXPECT_THAT(sealed.error().what, HasSubstr("incarnation 1 of the job has taken over"));
        return tl::unexpected(sealed.error());
    });
    EXPECT_EQ(done.error().code, Code::not_permitted);
    ASSERT_TRUE(end_job(1, false));
    EXPECT_EQ(seal({1, 2}, others(k_two)).error().code, Code::not_permitted) << "it has ended";
}

// Which key comes first differs while a new key file is on its way to the nodes.
TEST_P(SharedTest, TheCommittingNodesKeySealsAll) {
    const fs::path path = m_temp.path() / "key-2";
    ASSERT_TRUE(create_key(path));
    const auto load = [](const fs::path& of) { return load_keys(of, ::geteuid()).value(); };
    const ClusterKeys new_only = load(path);
    std::vector<ClusterKey> new_first = load(path).take();
    const Sealing all = sealing(m_owner, k_one, others(k_one));
    new_first.push_back(std::move(load(m_key_path).take().front()));
    const auto done = commit_with(k_one, names_of(others(k_one)), [&]() -> Status {
        EXPECT_EQ(seal(all, new_only.all()).error().code, Code::store_corrupt);
        CKPT_TRY([[maybe_unused]] const auto bytes, seal(all, new_first));
        return {};
    });
    ASSERT_TRUE(done) << one_line(done.error());
    expect_all_restored(1, k_one);
}

// What other nodes have written is named by nothing yet, and must not go.
TEST_P(SharedTest, NothingIsRemovedWhileItIsOnItsWay) {
    must_commit_all(k_one);
    const auto done = commit_with(k_two, names_of(others(k_two)), [&]() -> Status {
        CKPT_CHECK(seal_each(k_two, others(k_two)));
        const auto packs_before = packs();
        const ActiveJobs::Range own{m_owner.job_id, m_owner.job_id};
        for (const ActiveJobs& active : {ActiveJobs{"alpha", true, {own}}, ActiveJobs{"alpha", true, {}}}) {
            LocalVolume here = volume(m_base);
            const Store store{here, m_keys};
            const auto jobs = look(store, m_owner.uid);
            if (!jobs) return tl::unexpected(jobs.error());
            const std::int64_t soon = std::time(nullptr) + 60;
            const auto ignore = [](const auto&...) { return Status{}; };
            CKPT_CHECK(remove_all(store, *jobs, decide_retention(*jobs, active, {0, 1, 1}, soon), ignore));
            EXPECT_EQ(packs(), packs_before);
        }
        return {};
    });
    ASSERT_TRUE(done) << one_line(done.error());
    expect_all_restored(1, k_two);
}

} // namespace
} // namespace ckpt::store::test
