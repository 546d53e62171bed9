// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/stat.h>

#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t k_stand_in = 7;

class CommitTest : public StoreTest {};

TEST_F(CommitTest, RoundTrip) {
    must_commit({0, 1});
    const Taken taken = must_adopt(1);
    EXPECT_EQ(taken.adoption.found, Found::generation);
    EXPECT_EQ(taken.adoption.id, (GenerationId{0, 1}));
    EXPECT_EQ(taken.adoption.taken_at, 1700000001);
    EXPECT_EQ(taken.adoption.node, "n1");
    EXPECT_EQ(taken.adoption.newest_generation, 1U);
    EXPECT_FALSE(taken.adoption.tree_was_stopped);
    EXPECT_THAT(taken.adoption.skipped, IsEmpty());
    EXPECT_TRUE(taken.files == images({0, 1}));
}

TEST_F(CommitTest, ZerosBecomeHolesAndComeBack) {
    const std::size_t mib = std::size_t{1} << 20U;
    std::string mixed(3 * mib, '\0');
    mixed[mib + 5] = 'x';
    const Files files{{"zero.img", std::string(5 * mib + 17, '\0')},
                      {"mixed.img", mixed},
                      {"odd.img", std::string(65537, 'y')},
                      {"one.img", std::string(1, '\0')}};
    const auto done = commit_files({0, 1}, files);
    ASSERT_TRUE(done) << one_line(done.error());
    EXPECT_LT(done->stored_bytes, mib);
    const fs::path target = make_dump({});
    const Fd dir = open_path(target);
    ASSERT_TRUE(adopt_from_store(adoption_by(1, dir.get())));
    EXPECT_TRUE(files_in(target) == files);
    struct stat st{};
    ASSERT_EQ(::stat((target / "zero.img").c_str(), &st), 0);
    EXPECT_EQ(st.st_size, static_cast<off_t>(5 * mib + 17));
    EXPECT_EQ(st.st_blocks, 0);
}

TEST_F(CommitTest, WhatDidNotChangeIsStoredOnce) {
    Files files = images({0, 1});
    for (int page = 0; page < 64; ++page)
        files["pages-1.img"].replace(static_cast<std::size_t>(page) * 4096, 16,
                                     std::to_string(page) + std::string(16, 'p'), 0, 16);
    const auto first = commit_files({0, 1}, files);
    ASSERT_TRUE(first);
    files["core-1.img"] += "changed";
    const auto second = commit_files({0, 2}, files);
    ASSERT_TRUE(second);
    EXPECT_LT(second->stored_bytes - fs::file_size(manifest_path({0, 2})) - fs::file_size(index_path({0, 2})),
              fs::file_size(packs_of({0, 1}).front()));
    EXPECT_THAT(packs_of({0, 2}), ::testing::Contains(packs_of({0, 1}).front()));
    EXPECT_EQ(packs_of({0, 2}).size(), 2U);
    EXPECT_TRUE(must_adopt(1).files == files);
}

// Pages of the key before cannot be opened with the one in force.
TEST_F(CommitTest, AfterAKeyWasReplacedNothingIsShared) {
    const Files files = images({0, 1});
    ASSERT_TRUE(commit_files({0, 1}, files));
    const auto added = add_key(m_key_path, ::geteuid());
    ASSERT_TRUE(added);
    ASSERT_TRUE(use_key(m_key_path, *added, ::geteuid()));
    read_keys();
    ASSERT_TRUE(commit_files({0, 2}, files));
    EXPECT_EQ(manifest_of({0, 2}).key_id, *added);
    EXPECT_NE(packs_of({0, 2}), packs_of({0, 1}));
    EXPECT_TRUE(must_adopt(1).files == files);
    EXPECT_TRUE(must_adopt(1, GenerationId{0, 2}).files == files) << "the old key opens what it has sealed";
    ASSERT_TRUE(remove_key(m_key_path, m_keys[1].id, ::geteuid()));
    read_keys();
    fs::remove_all(job_path() / "inc-1");
    EXPECT_TRUE(must_adopt(1).files == files);
    expect_found(1, Found::unusable, GenerationId{0, 2});
}

TEST_F(CommitTest, OnlyTheOwnerMayReadWhatWasWritten) {
    const mode_t old = ::umask(0);
    must_commit({0, 1});
    must_adopt(1);
    ::umask(old);
    for (const auto& entry : fs::recursive_directory_iterator(m_base))
        EXPECT_EQ(entry.symlink_status().permissions(), entry.is_directory()
                                                            ? fs::perms::owner_all
                                                            : fs::perms::owner_read | fs::perms::owner_write)
            << entry.path();
}

TEST_F(CommitTest, SeveralPartsAreOneGeneration) {
    const fs::path batch = make_dump({{"a.img", "batch"}});
    const fs::path task = make_dump({{"a.img", "task"}});
    const Fd batch_dir = open_path(batch);
    const Fd task_dir = open_path(task);
    CommitSpec spec = spec_of(m_owner, {0, 1}, 2, batch_dir.get());
    spec.tree_was_stopped = true;
    spec.parts.push_back({{0, 3, "n2", 0, 0, 1, "4.1.1", {}, k_stand_in}, task_dir.get()});
    ASSERT_TRUE(commit_to_store(spec));
    const Taken taken = must_adopt(1);
    EXPECT_EQ(taken.files, (Files{{"a.img", "batch"}}));
    EXPECT_EQ(taken.adoption.node, "n1");
    EXPECT_TRUE(taken.adoption.tree_was_stopped);
    const fs::path target = make_dump({});
    const Fd target_dir = open_path(target);
    LocalVolume here = volume(m_base);
    ASSERT_TRUE(unpack_part(Store{here, m_keys}, {m_owner, 1, {0, 1}, k_stand_in, 3, target_dir.get()}));
    EXPECT_EQ(files_in(target), (Files{{"a.img", "task"}}));
}

// In an allocation of salloc the script is a step, and another one each time.
TEST_F(CommitTest, TheScriptIsFoundWhateverStepItWas) {
    const fs::path script = make_dump({{"a.img", "script"}});
    const fs::path task = make_dump({{"a.img", "task"}});
    const Fd script_dir = open_path(script);
    const Fd task_dir = open_path(task);
    CommitSpec spec = spec_of(m_owner, {0, 1}, 2, task_dir.get());
    spec.parts.front().about.stand_in = k_stand_in;
    spec.parts.push_back({{3, 0, "n1", 0, 0, 1, "4.1.1", {}}, script_dir.get()});
    ASSERT_TRUE(commit_to_store(spec));
    const Taken taken = must_adopt(1);
    EXPECT_EQ(taken.adoption.found, Found::generation);
    EXPECT_EQ(taken.files, (Files{{"a.img", "script"}}));
}

TEST_F(CommitTest, AGenerationWithoutTheScriptStartsNothing) {
    const fs::path task = make_dump({{"a.img", "task"}});
    const Fd dir = open_path(task);
    CommitSpec spec = spec_of(m_owner, {0, 1}, 2, dir.get());
    spec.parts.front().about.stand_in = k_stand_in;
    ASSERT_TRUE(commit_to_store(spec));
    const Taken taken = must_adopt(1);
    EXPECT_EQ(taken.adoption.found, Found::nothing);
    EXPECT_EQ(taken.adoption.id, (GenerationId{0, 1}));
    EXPECT_THAT(taken.files, IsEmpty());
}

TEST_F(CommitTest, OnlyRegularFilesAreImages) {
    const auto refused = [&](const std::string& what, const auto& add) {
        const fs::path dump = make_dump(images({0, 1}));
        add(dump / "x.img");
        const Fd dir = open_path(dump);
        const auto done = commit_to_store(spec_of(m_owner, {0, 1}, 1, dir.get()));
        ASSERT_FALSE(done) << what;
        EXPECT_THAT(done.error().what, HasSubstr("x.img")) << what;
        EXPECT_THAT(listing(), IsEmpty()) << what;
        EXPECT_THAT(packs(), IsEmpty()) << what;
    };
    refused("directory", [](const fs::path& path) { fs::create_directory(path); });
    refused("link", [](const fs::path& path) { fs::create_symlink("core-1.img", path); });
    refused("dangling link", [](const fs::path& path) { fs::create_symlink("nowhere", path); });
    refused("fifo", [](const fs::path& path) { ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0); });
}

TEST_F(CommitTest, NamesThatAreNoImagesAreRefused) {
    for (const char* name : {".hidden", "a b", "new\nline", "\xff\xfe"}) {
        const auto done = commit_files({0, 1}, {{name, "x"}});
        ASSERT_FALSE(done) << name;
        EXPECT_EQ(done.error().code, Code::internal);
    }
    EXPECT_THAT(listing(), IsEmpty());
}

TEST_F(CommitTest, RequestsThatMakeNoSenseAreRefused) {
    EXPECT_FALSE(commit_files({0, 0}, images({0, 1})));
    EXPECT_FALSE(commit_files({0, 1000000}, images({0, 1})));
    CommitSpec spec = spec_of(m_owner, {0, 1}, 1, -1);
    spec.parts.push_back(spec.parts.front());
    EXPECT_FALSE(commit_to_store(spec)) << "the same part twice";
    spec.parts.clear();
    EXPECT_FALSE(commit_to_store(spec)) << "no part";
    EXPECT_THAT(listing(), IsEmpty());
}

TEST_F(CommitTest, AGenerationIsNeverWrittenOver) {
    must_commit({0, 2});
    EXPECT_FALSE(commit_files({0, 2}, {{"a.img", "other"}}));
    EXPECT_FALSE(commit_files({0, 1}, {{"a.img", "older"}}));
    expect_adopted(1, {0, 2});
}

TEST_F(CommitTest, LeftoversOfAKilledCommitAreSwept) {
    must_commit({0, 1});
    const fs::path left = job_path() / "inc-0" / ".tmp-gen-000002";
    fs::create_directories(left);
    write_file(left / "index-0-0", "half");
    write_file(job_path() / "packs" / ("inc-0-" + std::string(32, 'a')), "half");
    expect_adopted(1, {0, 1});
    EXPECT_EQ(must_adopt(1).adoption.newest_generation, 2U) << "its number counts as used";
    fs::remove_all(job_path() / "inc-1");
    must_commit({0, 3});
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000001", "inc-0/gen-000003"));
    EXPECT_THAT(packs(), ::testing::UnorderedElementsAre(pack_path({0, 1}).filename().string(),
                                                         pack_path({0, 3}).filename().string()));
}

TEST_F(CommitTest, AStoreThatCannotBeOpenedIsNotEmpty) {
    must_commit({0, 1});
    fs::rename(job_path(), m_temp.path() / "job");
    write_file(job_path(), "not a directory");
    const auto taken = try_adopt(1);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, Code::store_unwritable);
    EXPECT_THAT(taken.error().what, HasSubstr("alpha/4711-0a1b2c3d"));
}

TEST_F(CommitTest, NothingWasEverCommitted) {
    expect_found(0, Found::nothing);
    expect_found(1, Found::nothing);
}

TEST_F(CommitTest, TheTargetMustBeEmpty) {
    must_commit({0, 1});
    const Fd dir = open_path(make_dump({{"core-1.img", "planted"}}));
    EXPECT_FALSE(adopt_from_store(adoption_by(1, dir.get())));
    EXPECT_FALSE(fs::exists(record_path(1, "adopted")));
}

} // namespace
} // namespace ckpt::store::test
