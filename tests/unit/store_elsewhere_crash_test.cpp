// SPDX-License-Identifier: GPL-2.0-or-later
// Generations whose parts several nodes seal, when one of the nodes dies or fails at any system call that
// changes the store.
#include <sys/stat.h>

#include <set>

#include "store_elsewhere_testbed.hpp"
#include "store_faults.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int k_calls_max = 400; // more than any operation here makes
constexpr GenerationId k_one{0, 1};
constexpr GenerationId k_two{0, 2};
constexpr std::size_t k_packs = 3; // of one generation: one for each part

class SharedCrashTest : public ElsewhereTest {
protected:
    void fresh_store() {
        fs::remove_all(m_base);
        fs::create_directory(m_base);
        must_commit_all(k_one);
    }
    void expect_no_trace(int call) {
        EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000001")) << "at call " << call;
        EXPECT_EQ(packs().size(), k_packs) << "at call " << call;
    }
    // Whoever commits next, with one generation to keep.
    void expect_cleared_up(int call) {
        const Fd dir = open_path(make_dump(images({0, 3})));
        LocalVolume here = volume(m_base);
        ASSERT_TRUE(commit(Store{here, m_keys}, spec_of(m_owner, {0, 3}, 1, dir.get())));
        EXPECT_THAT(listing(), ElementsAre("inc-0/gen-000003")) << "at call " << call;
        EXPECT_EQ(packs(), (std::vector<std::string>{pack_path({0, 3}).filename()})) << "at call " << call;
    }
    [[nodiscard]] static ino_t inode_of(const fs::path& path) {
        struct stat st{};
        EXPECT_EQ(::stat(path.c_str(), &st), 0) << path;
        return st.st_ino;
    }
};

TEST_F(SharedCrashTest, AnotherNodeThatIsKilledAnywhere) {
    bool more = true;
    for (int call = 1; more; ++call) {
        ASSERT_LT(call, k_calls_max);
        fresh_store();
        const auto done = commit_with(k_two, names_of(others(k_two)), [&]() -> Status {
            more = dies_at(call, [&] { return seal(k_two, others(k_two)).has_value(); });
            if (more) return fail(Code::daemon_unreachable, "n2 is gone");
            return {};
        });
        EXPECT_EQ(done.has_value(), !more);
        if (more) expect_no_trace(call);
        expect_all_restored(1, more ? k_one : k_two);
    }
}

// All nodes at once; the committing one is far from always the first.
TEST_F(SharedCrashTest, EverybodyIsKilledAnywhere) {
    bool more = true;
    std::set<std::uint32_t> seen;
    for (int call = 1; more; ++call) {
        ASSERT_LT(call, k_calls_max);
        fresh_store();
        more = dies_at(call, [&] { return commit_all(k_two, others(k_two)).has_value(); });
        const GenerationId newest = fs::exists(path_of(k_two)) ? k_two : k_one;
        seen.insert(newest.generation);
        expect_all_restored(1, newest);
        fs::remove_all(job_path() / "inc-1");
        expect_cleared_up(call);
    }
    EXPECT_THAT(seen, ElementsAre(1, 2));
}

// The node that commits dies while another one is at work, which does not know it.
TEST_F(SharedCrashTest, WhatIsSealedForADeadCommitIsSwept) {
    fresh_store();
    EXPECT_TRUE(dies_at(k_calls_max, [&] {
        (void)commit_with(k_two, names_of(others(k_two)), []() -> Status { ::_exit(Faults::k_died); });
        return false;
    }));
    ASSERT_TRUE(seal(k_two, others(k_two))) << "its directory is there";
    EXPECT_GT(packs().size(), k_packs);
    expect_all_restored(1, k_one);
    fs::remove_all(job_path() / "inc-1");
    expect_cleared_up(0);
}

class SharedFaultTest : public SharedCrashTest, public ::testing::WithParamInterface<int> {};

INSTANTIATE_TEST_SUITE_P(Errors, SharedFaultTest, ::testing::Values(ENOSPC, EIO),
                         [](const auto& error) { return std::string(::strerrorname_np(error.param)); });

TEST_P(SharedFaultTest, AnotherNodeThatFailsAnywhere) {
    bool more = true;
    for (int call = 1; more; ++call) {
        ASSERT_LT(call, k_calls_max);
        fresh_store();
        const auto packs_before = packs();
        const auto done = commit_with(k_two, names_of(others(k_two)), [&]() -> Status {
            const auto all_packs = packs();
            const Sealing all = sealing(m_owner, k_two, others(k_two));
            Faults faults;
            faults.fail_at(call, GetParam());
            const auto sealed = seal(all, m_keys);
            more = faults.struck();
            faults.fail_at(0, 0);
            EXPECT_EQ(sealed.has_value(), !more) << "at call " << call;
            if (sealed) return {};
            EXPECT_EQ(sealed.error().errnum, GetParam());
            EXPECT_EQ(sealed.error().code, GetParam() == EIO ? Code::store_unwritable : Code::store_full);
            EXPECT_EQ(packs(), all_packs) << "at call " << call;
            return tl::unexpected(sealed.error());
        });
        EXPECT_EQ(done.has_value(), !more);
        if (more) expect_no_trace(call);
    }
    expect_all_restored(1, k_two);
}

TEST_P(SharedFaultTest, ACommitThatFailsAnywhere) {
    bool more = true;
    int failed = 0;
    for (int call = 1; more; ++call) {
        ASSERT_LT(call, k_calls_max);
        fresh_store();
        Faults faults;
        faults.fail_at(call, GetParam());
        const auto done = commit_all(k_two, others(k_two));
        more = faults.struck();
        faults.fail_at(0, 0);
        if (done) continue; // the fault struck when the generation was safe, or not at all
        ++failed;
        expect_no_trace(call);
    }
    EXPECT_GT(failed, 40);
    expect_all_restored(1, k_two);
}

// The commit is given up while another node is about to say that its part is there.
TEST_F(SharedCrashTest, ACommitThatIsGivenUpUnderTheHandsOfAnotherNode) {
    for (const char* moment : {"part-0-1", "part-3-0"}) {
        fresh_store();
        const auto done = commit_with(k_two, names_of(others(k_two)), [&]() -> Status {
            Faults faults;
            faults.before("renameat", moment, [&] { fs::remove_all(temp_path(k_two)); });
            const auto sealed = seal(k_two, others(k_two));
            EXPECT_EQ(sealed.error().code, Code::deadline) << one_line(sealed.error());
            return tl::unexpected(sealed.error());
        });
        EXPECT_FALSE(done);
        expect_no_trace(0);
    }
}

// A late node is still at work for the first try when the second one begins, and comes to an end in between.
TEST_F(SharedCrashTest, ALateNodeDoesNotGetIntoTheNextAttempt) {
    fresh_store();
    Files stale = others(k_two).front().files;
    stale["core-2.img"] = "of another cut";
    auto late = others(k_two);
    late.front().files = stale;
    const auto first = commit_with(k_two, names_of(late), [&]() -> Status {
        Faults faults;
        faults.before("renameat", "part-0-1", [&] {
            fs::remove_all(temp_path(k_two)); // the first try is given up
            const auto second =
                commit_with(k_two, names_of(others(k_two)), [&] { return seal_each(k_two, others(k_two)); });
            EXPECT_TRUE(second) << one_line(second.error());
        });
        const auto sealed = seal(k_two, {late.front()});
        EXPECT_EQ(sealed.error().code, Code::deadline) << one_line(sealed.error());
        return tl::unexpected(sealed.error());
    });
    EXPECT_FALSE(first);
    expect_all_restored(1, k_two);
}

// As in store_crash_test.cpp: the order of the calls says what a loss of power would leave.
TEST_F(SharedCrashTest, EverythingIsDurableBeforeItIsNamed) {
    Faults faults;
    ASSERT_TRUE(commit_all(k_one, others(k_one)));
    const auto events = faults.events();
    std::set<ino_t> images; // what was stored, which the test has written meanwhile
    for (const auto& entry : fs::recursive_directory_iterator(m_temp.path()))
        if (fs::relative(entry.path(), m_base).native().starts_with(".."))
            images.insert(inode_of(entry.path()));
    std::set<ino_t> dirty;  // changed and not synced since
    std::set<ino_t> synced; // ever
    int named = 0;
    for (const Event& event : events) {
        if (images.contains(event.inode)) continue;
        if (event.call == "fsync") {
            dirty.erase(event.inode);
            synced.insert(event.inode);
            continue;
        }
        if (event.call == "renameat" && event.name.starts_with("part-")) {
            ++named;
            EXPECT_THAT(dirty, IsEmpty()) << event.name;
            EXPECT_TRUE(synced.contains(inode_of(job_path() / "packs")));
            EXPECT_TRUE(synced.contains(inode_of(path_of(k_one) / ("index" + event.name.substr(4)))));
        }
        if (event.call == "renameat" && event.name == "gen-000001") {
            ++named;
            EXPECT_THAT(dirty, IsEmpty());
            for (const fs::path& pack : packs_of(k_one))
                EXPECT_TRUE(synced.contains(inode_of(pack))) << pack;
            for (const auto& entry : fs::directory_iterator(path_of(k_one)))
                EXPECT_TRUE(synced.contains(inode_of(entry.path()))) << entry.path();
        }
        dirty.insert(event.inode);
    }
    EXPECT_EQ(named, 3);
    EXPECT_THAT(dirty, IsEmpty());
}

} // namespace
} // namespace ckpt::store::test
