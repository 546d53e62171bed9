// SPDX-License-Identifier: GPL-2.0-or-later
// A failure or the end of the process at every single system call that changes the store.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <random>
#include <set>

#include "store_faults.hpp"
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int k_calls_max = 400; // more than any operation here makes

class CrashTest : public StoreTest {
protected:
    // A store with generations 1 and 2, as it was at every start.
    void fresh_store() {
        fs::remove_all(m_base);
        fs::create_directory(m_base);
        must_commit({0, 1});
        must_commit({0, 2});
    }
    // Whatever directories are there as generations are whole.
    void expect_all_whole(int call) {
        for (const std::string& name : listing()) {
            if (name.find("/gen-") == std::string::npos) continue;
            EXPECT_TRUE(fs::exists(job_path() / name / "manifest")) << name << " at call " << call;
            const GenerationId id{0, *generation_of(name.substr(name.rfind('/') + 1))};
            EXPECT_TRUE(fs::exists(pack_path(id))) << name << " at call " << call;
        }
    }
};

TEST_F(CrashTest, ACommitThatIsKilledAnywhere) {
    bool more = true;
    std::set<std::uint32_t> seen;
    for (int call = 1; more; ++call) {
        ASSERT_LT(call, k_calls_max);
        fresh_store();
        more = dies_at(call, [&] { return commit_files({0, 3}, images({0, 3}), 2).has_value(); });
        expect_all_whole(call);
        const Taken taken = must_adopt(1);
        ASSERT_EQ(taken.adoption.found, Found::generation) << "at call " << call;
        ASSERT_GE(taken.adoption.id.generation, 2U) << "at call " << call;
        EXPECT_TRUE(taken.files == images(taken.adoption.id)) << "at call " << call;
        EXPECT_THAT(taken.adoption.skipped, IsEmpty()) << "at call " << call;
        seen.insert(taken.adoption.id.generation);
        // The next commit clears up.
        fs::remove_all(job_path() / "inc-1");
        must_commit({0, 4}, 2);
        EXPECT_THAT(listing(),
                    ElementsAre(AnyOf("inc-0/gen-000002", "inc-0/gen-000003"), "inc-0/gen-000004"));
        EXPECT_EQ(packs().size(), 2U) << "at call " << call;
    }
    EXPECT_THAT(seen, ElementsAre(2, 3));
}

TEST_F(CrashTest, AnAdoptionThatIsKilledAnywhere) {
    bool more = true;
    for (int call = 1; more; ++call) {
        ASSERT_LT(call, k_calls_max);
        fresh_store();
        ruin(pack_path({0, 2}));
        more = dies_at(call, [&] { return try_adopt(1).has_value(); });
        expect_adopted(1, {0, 1});
        expect_adopted(2, {0, 1});
        must_commit({2, 3}, 1);
        EXPECT_THAT(listing(), ElementsAre("inc-2/gen-000003"));
    }
}

TEST_F(CrashTest, AnEndThatIsKilledAnywhere) {
    bool more = true;
    std::set<Found> seen;
    for (int call = 1; more; ++call) {
        ASSERT_LT(call, k_calls_max);
        fresh_store();
        more = dies_at(call, [&] { return end_job(0, true).has_value(); });
        const Found found = must_adopt(1).adoption.found;
        EXPECT_THAT(found, AnyOf(Found::generation, Found::completed));
        seen.insert(found);
        if (found != Found::completed) continue;
        fs::remove_all(job_path() / "inc-1");
        ASSERT_TRUE(end_job(0, true));
        EXPECT_THAT(listing(), IsEmpty());
        EXPECT_THAT(packs(), IsEmpty());
    }
    EXPECT_EQ(seen.size(), 2U);
}

class FaultTest : public CrashTest, public ::testing::WithParamInterface<int> {};

TEST_P(FaultTest, ACommitThatFailsAnywhereLeavesNoTrace) {
    bool more = true;
    int failed = 0;
    for (int call = 1; more; ++call) {
        ASSERT_LT(call, k_calls_max);
        fresh_store();
        const auto packs_before = packs();
        const fs::path dump = make_dump(images({0, 3}));
        const Fd dir = open_path(dump);
        Faults faults;
        faults.fail_at(call, GetParam());
        const auto done = commit_to_store(spec_of(m_owner, {0, 3}, 2, dir.get()));
        more = faults.struck();
        faults.fail_at(0, 0);
        if (done) { // the fault struck when the generation was safe
            EXPECT_EQ(done->notes.empty(), !more) << "a prune that fails is not silent";
            EXPECT_THAT(listing(), Contains("inc-0/gen-000003"));
            continue;
        }
        ++failed;
        EXPECT_EQ(done.error().code, GetParam() == EIO ? Code::store_unwritable : Code::store_full);
        EXPECT_EQ(done.error().errnum, GetParam());
        EXPECT_THAT(done.error().what, HasSubstr("alpha/4711-0a1b2c3d"));
        EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000001", "inc-0/gen-000002")) << "at call " << call;
        EXPECT_EQ(packs(), packs_before) << "at call " << call;
    }
    EXPECT_GT(failed, 20);
    expect_adopted(1, {0, 3});
}

TEST_P(FaultTest, AnAdoptionThatFailsIsNone) {
    bool more = true;
    for (int call = 1; more; ++call) {
        ASSERT_LT(call, k_calls_max);
        fresh_store();
        const fs::path target = make_dump({});
        const Fd dir = open_path(target);
        Faults faults;
        faults.fail_at(call, GetParam());
        const auto adoption = adopt_from_store(adoption_by(1, dir.get()));
        more = faults.struck();
        faults.fail_at(0, 0);
        if (more) {
            ASSERT_FALSE(adoption) << "at call " << call;
            EXPECT_EQ(adoption.error().errnum, GetParam());
            EXPECT_FALSE(fs::exists(record_path(1, "adopted"))) << "at call " << call;
            expect_adopted(1, {0, 2});
        } else {
            EXPECT_EQ(adoption->id, (GenerationId{0, 2}));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Errors, FaultTest, ::testing::Values(ENOSPC, EDQUOT, EIO),
                         [](const auto& error) { return std::string(::strerrorname_np(error.param)); });

// A medium that does not read what was written is damage; a file server that is away is not.
TEST_F(CrashTest, OnlyDamageLeadsToAnOlderGeneration) {
    fresh_store();
    for (const fs::path& path : {pack_path({0, 2}), index_path({0, 2}), manifest_path({0, 2})}) {
        struct stat st{};
        ASSERT_EQ(::stat(path.c_str(), &st), 0);
        for (const int errnum : {EIO, ESTALE, EACCES, ETIMEDOUT, ENOMEM}) {
            Faults faults;
            faults.fail_read_of(st.st_ino, errnum);
            const auto taken = try_adopt(1);
            if (errnum == EIO) {
                ASSERT_TRUE(taken) << one_line(taken.error());
                EXPECT_EQ(taken->adoption.id, (GenerationId{0, 1}));
            } else {
                ASSERT_FALSE(taken) << errnum;
                EXPECT_FALSE(fs::exists(record_path(1, "adopted")));
            }
            fs::remove_all(job_path() / "inc-1");
        }
    }
}

// Nor does it say that the job has ended or was taken over.
TEST_F(CrashTest, ARecordThatCannotBeReadIsAnError) {
    fresh_store();
    expect_adopted(1, {0, 2});
    struct stat st{};
    ASSERT_EQ(::stat(record_path(1, "adopted").c_str(), &st), 0);
    for (const int errnum : {ESTALE, EACCES, ETIMEDOUT}) {
        Faults faults;
        faults.fail_read_of(st.st_ino, errnum);
        const auto done = commit_files({1, 3}, images({1, 3}));
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code, Code::store_unwritable);
        EXPECT_EQ(done.error().errnum, errnum);
        const auto late = commit_files({0, 3}, images({0, 3}));
        ASSERT_FALSE(late);
        EXPECT_EQ(late.error().errnum, errnum);
        const auto taken = try_adopt(2);
        ASSERT_FALSE(taken);
        EXPECT_EQ(taken.error().errnum, errnum);
        EXPECT_FALSE(end_job(1, true));
        EXPECT_FALSE(fs::exists(record_path(1, "completed")));
    }
    expect_adopted(2, {0, 2});
}

// Without a crash that loses what was not synced, the order of the calls must be looked at itself.
TEST_F(CrashTest, EverythingIsDurableBeforeTheGenerationAppears) {
    const Fd dir = open_path(make_dump(images({0, 1})));
    Faults faults;
    ASSERT_TRUE(commit_to_store(spec_of(m_owner, {0, 1}, 2, dir.get())));
    const auto inode_of = [](const fs::path& path) {
        struct stat st{};
        EXPECT_EQ(::stat(path.c_str(), &st), 0);
        return st.st_ino;
    };
    std::set<ino_t> dirty;  // changed and not synced since
    std::set<ino_t> synced; // ever
    bool published = false;
    for (const Event& event : faults.events()) {
        if (event.call == "fsync") {
            dirty.erase(event.inode);
            synced.insert(event.inode);
            continue;
        }
        if (event.call == "renameat") {
            EXPECT_THAT(dirty, IsEmpty()) << event.name;
        }
        if (event.call == "renameat" && event.name == "manifest") {
            EXPECT_TRUE(synced.contains(inode_of(job_path() / "packs"))) << "the names of what it needs";
            EXPECT_TRUE(synced.contains(inode_of(pack_path({0, 1}))));
            EXPECT_TRUE(synced.contains(inode_of(index_path({0, 1}))));
        }
        if (event.call == "renameat" && event.name == "gen-000001") {
            published = true;
            EXPECT_TRUE(synced.contains(inode_of(manifest_path({0, 1}))));
            EXPECT_TRUE(synced.contains(inode_of(path_of({0, 1}))));
        }
        dirty.insert(event.inode);
    }
    EXPECT_TRUE(published);
    EXPECT_THAT(dirty, IsEmpty());
    EXPECT_TRUE(synced.contains(inode_of(job_path() / "inc-0")));
}

TEST_F(CrashTest, AFileSizeLimitIsAnErrorAndLeavesNoTrace) {
    fresh_store();
    std::mt19937 random(1); // nothing to compress
    Files files = images({0, 3});
    std::ranges::generate(files["pages-1.img"], [&] { return static_cast<char>(random()); });
    const fs::path dump = make_dump(files);
    const auto packs_before = packs();
    const pid_t child = ::fork();
    if (child == 0) {
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{100000, 100000};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        const Fd dir = open_path(dump);
        const auto done = commit_to_store(spec_of(m_owner, {0, 3}, 1, dir.get()));
        ::_exit(!done && done.error().code == Code::store_unwritable && done.error().errnum == EFBIG ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000001", "inc-0/gen-000002"));
    EXPECT_EQ(packs(), packs_before);
}

} // namespace
} // namespace ckpt::store::test
