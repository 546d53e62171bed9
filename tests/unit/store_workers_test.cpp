// SPDX-License-Identifier: GPL-2.0-or-later
// Who has which rights: the directory is the user's, the key is the sealer's, and either of the two may be
// killed at any moment.
#include <grp.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "store_sealer_testbed.hpp"
#include "volume/remote_volume.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::HasSubstr;

class WorkersTest : public SealerTest {
protected:
    void expect_refused(const std::string& why) {
        const auto commit = commit_of(0, 1, images({0, 1}));
        EXPECT_NE(commit.outcome.code, 0U);
        EXPECT_THAT(commit.outcome.what, HasSubstr(why));
        const auto adoption = adopt_by(1, make_local({}), false);
        EXPECT_NE(adoption.outcome.code, 0U);
        EXPECT_THAT(adoption.outcome.what, HasSubstr(why));
    }
    static void make_dir_of(const std::string& path, uid_t uid, mode_t mode) {
        ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
        ASSERT_EQ(::chmod(path.c_str(), mode), 0);
        ASSERT_EQ(::chown(path.c_str(), uid, uid), 0);
    }
    [[nodiscard]] std::vector<std::string> generations() const {
        std::vector<std::string> names;
        const fs::path inc = fs::path(m_store) / "alpha/4711-0a1b2c3d/inc-0";
        if (!fs::exists(inc)) return names;
        for (const auto& entry : fs::directory_iterator(inc))
            if (generation_of(entry.path().filename().string())) names.push_back(entry.path().filename());
        std::ranges::sort(names);
        return names;
    }
};

TEST_F(WorkersTest, TheDirectoryIsMadeForTheUserBelowRoots) {
    const mode_t old = ::umask(0);
    ASSERT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U);
    ::umask(old);
    struct stat st{};
    ASSERT_EQ(::stat(m_store.c_str(), &st), 0);
    EXPECT_EQ(st.st_uid, k_user);
    EXPECT_EQ(st.st_gid, k_user);
    EXPECT_EQ(st.st_mode & 07777U, 0700U);
    for (const auto& entry : fs::recursive_directory_iterator(m_store)) {
        ASSERT_EQ(::lstat(entry.path().c_str(), &st), 0);
        EXPECT_EQ(st.st_uid, k_user) << entry.path();
        EXPECT_EQ(st.st_mode & 07777U, entry.is_directory() ? 0700U : 0600U) << entry.path();
    }
}

TEST_F(WorkersTest, ADirectoryThatIsThereKeepsItsModeAsLongAsNobodyElseWrites) {
    make_dir_of(m_store, k_user, 0755);
    ASSERT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U);
    struct stat st{};
    ASSERT_EQ(::stat(m_store.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777U, 0755U);
    expect_restores(1, {0, 1});
}

TEST_F(WorkersTest, ADirectoryOfSomebodyElseIsRefused) {
    make_dir_of(m_store, k_stranger, 0755);
    expect_refused("belongs to uid 54321, not to the job's user");
    ASSERT_EQ(::chown(m_store.c_str(), 0, 0), 0);
    expect_refused("belongs to uid 0, not to the job's user");
    EXPECT_TRUE(fs::is_empty(m_store));
}

TEST_F(WorkersTest, ADirectoryThatOthersMayWriteToIsRefused) {
    make_dir_of(m_store, k_user, 0770);
    expect_refused("is writable by others");
    ASSERT_EQ(::chmod(m_store.c_str(), 01777), 0);
    expect_refused("is writable by others");
    EXPECT_TRUE(fs::is_empty(m_store));
    ASSERT_EQ(::chmod(m_store.c_str(), 0700), 0);
    EXPECT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U);
}

TEST_F(WorkersTest, ALinkToAnotherUsersDirectoryIsRefused) {
    const std::string theirs = m_mount + "/theirs";
    make_dir_of(theirs, k_stranger, 0777);
    fs::create_symlink(theirs, m_store);
    expect_refused("belongs to uid 54321");
    ASSERT_EQ(::chmod(theirs.c_str(), 0700), 0); // not even to be looked at
    expect_refused("");
    EXPECT_TRUE(fs::is_empty(theirs));
}

TEST_F(WorkersTest, ALinkOfRootsInRootsDirectoryIsFollowed) {
    make_dir_of(m_mount + "/mine", k_user, 0700);
    fs::create_symlink(m_mount + "/mine", m_store);
    ASSERT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U);
    EXPECT_TRUE(fs::exists(m_mount + "/mine/alpha"));
    expect_restores(1, {0, 1});
    ASSERT_EQ(::lchown(m_store.c_str(), k_user, k_user), 0);
    expect_refused("is a link that belongs to uid 12345");
    ASSERT_EQ(::lchown(m_store.c_str(), 0, 0), 0);
    ASSERT_EQ(::chmod(m_above.c_str(), 01777), 0);
    expect_refused("is a link in a directory that is not root's alone");
}

TEST_F(WorkersTest, WhereItIsNotRootsTheUserMakesIt) {
    ASSERT_EQ(::chown(m_above.c_str(), k_user, k_user), 0);
    ASSERT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U);
    struct stat st{};
    ASSERT_EQ(::stat(m_store.c_str(), &st), 0);
    EXPECT_EQ(st.st_uid, k_user) << "root makes nothing where others may write";
    expect_restores(1, {0, 1});
}

// A file system that is not mounted.
TEST_F(WorkersTest, WhatIsAboveTheUsersDirectoryIsNeverMade) {
    for (const uid_t owner : {0U, k_user}) { // be it that root could make it, or the user
        fs::remove_all(m_above);
        ASSERT_EQ(::chown((m_mount + "/site").c_str(), owner, owner), 0);
        expect_refused("site/store does not exist");
        wire::CompleteRequest end;
        end.place = place(0);
        const auto ended = must_ask<wire::CompleteResult>(end, {}, false);
        EXPECT_EQ(ended.outcome.code, static_cast<std::uint32_t>(Code::store_unwritable));
        EXPECT_THAT(ended.outcome.hint, HasSubstr("mounted"));
        const Fd out(::open("/dev/null", O_WRONLY | O_CLOEXEC));
        EXPECT_NE(must_ask<wire::InspectResult>(wire::InspectRequest{}, {out.get()}, false).outcome.code, 0U);
        EXPECT_NE(must_ask<wire::PruneResult>(wire::PruneRequest{}, {out.get()}, false).outcome.code, 0U);
        EXPECT_FALSE(fs::exists(m_above));
    }
}

TEST_F(WorkersTest, NothingIsMadeAnewForAJobThatHasCheckpoints) {
    ASSERT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U);
    const auto commit = [&](std::uint32_t generation) {
        wire::CommitRequest request = commit_request(0, generation);
        request.has_generations = true;
        const Fd dir = open_path(make_local(images({0, generation})));
        return must_ask<wire::CommitResult>(request, {dir.get()}, false).outcome;
    };
    EXPECT_EQ(commit(2).code, 0U);
    const std::string job = m_store + "/alpha/4711-0a1b2c3d";
    for (const std::string& gone : {job, m_store}) {
        fs::rename(gone, m_mount + "/elsewhere");
        const auto failed = commit(3);
        EXPECT_EQ(failed.code, static_cast<std::uint32_t>(Code::store_unwritable));
        EXPECT_THAT(failed.hint, HasSubstr("mounted"));
        EXPECT_FALSE(fs::exists(gone));
        fs::rename(m_mount + "/elsewhere", gone);
    }
    fs::rename(m_store, m_mount + "/elsewhere");
    wire::CompleteRequest end;
    end.place = place(0);
    end.has_generations = true;
    EXPECT_EQ(must_ask<wire::CompleteResult>(end, {}, false).outcome.code,
              static_cast<std::uint32_t>(Code::store_unwritable));
    fs::rename(m_mount + "/elsewhere", m_store);
    EXPECT_EQ(commit(4).code, 0U);
    expect_restores(1, {0, 4});
}

// Between the admin's directory and the user's own.
TEST_F(WorkersTest, TheWayToItIsNobodyElses) {
    const std::string way = m_above + "/12345-s";
    m_store = way + "/ckpt";
    make_dir_of(way, k_stranger, 0755);
    make_dir_of(m_store, k_user, 0700);
    expect_refused("12345-s belongs to uid 54321");
    ASSERT_EQ(::chown(way.c_str(), k_user, k_user), 0);
    for (const mode_t mode : {0770U, 0757U}) {
        ASSERT_EQ(::chmod(way.c_str(), mode), 0);
        expect_refused("12345-s is writable by others");
    }
    EXPECT_TRUE(fs::is_empty(m_store));
    ASSERT_EQ(::chmod(way.c_str(), 01777), 0);
    EXPECT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U) << "sticky: nobody else can move it away";
    ASSERT_EQ(::chown(m_above.c_str(), k_stranger, k_stranger), 0);
    ASSERT_EQ(::chown(way.c_str(), k_stranger, k_stranger), 0);
    ASSERT_EQ(::chmod(way.c_str(), 0755), 0);
    EXPECT_EQ(commit_of(0, 2, images({0, 2})).outcome.code, 0U) << "whose the admin's directory is";
    expect_restores(1, {0, 2});
}

TEST_F(WorkersTest, WhatIsNoDirectoryOnTheWayIsRefusedAtOnce) {
    const std::string way = m_above + "/12345-s";
    const std::string theirs = m_mount + "/theirs";
    make_dir_of(theirs, k_user, 0700);
    m_store = way + "/ckpt";
    ASSERT_EQ(::mkfifo(way.c_str(), 0666), 0);
    expect_refused("12345-s");
    fs::remove(way);
    ASSERT_EQ(::mknod(way.c_str(), S_IFCHR | 0666, 0x0501), 0); // a terminal to be waited for
    expect_refused("12345-s");
    fs::remove(way);
    fs::create_symlink(theirs, way);
    ASSERT_EQ(::lchown(way.c_str(), k_user, k_user), 0);
    expect_refused("12345-s is a link");
    EXPECT_TRUE(fs::is_empty(theirs));
}

TEST_F(WorkersTest, AFileInItsPlaceIsRefused) {
    write_file(m_store, "a file");
    expect_refused("");
    EXPECT_EQ(read_file(m_store), "a file");
}

// The one program with the key: its memory is nobody's, not even that of others with its account.
TEST_F(WorkersTest, TheSealerHasItsAccountAndCannotBeLookedInto) {
    auto pair = make_stream_pair();
    ASSERT_TRUE(pair);
    const Fd dir = open_path(make_local(images({0, 1})));
    Worker sealer = start_sealer(wire::encode(commit_request(0, 1)), {dir.get()}, pair->second);
    pair->second.reset();
    ASSERT_TRUE(receive_frame(pair->first.get(), k_frame_limit)); // it is at work, and waits for us
    const std::string proc = "/proc/" + std::to_string(sealer.process.pid());
    const std::string status = read_file(proc + "/status");
    EXPECT_THAT(status, HasSubstr("\nUid:\t65533\t65533\t65533\t65533\n"));
    EXPECT_THAT(status, HasSubstr("\nGid:\t65533\t65533\t65533\t65533\n"));
    EXPECT_THAT(status, HasSubstr("\nCapPrm:\t0000000000000000\n"));
    EXPECT_THAT(read_file(proc + "/limits"), HasSubstr("Max core file size        0                    0 "));

    SpawnSpec plain; // of the same account, for comparison
    plain.path = "/bin/sleep";
    plain.argv = {"sleep", "600"};
    plain.become = Identity{k_service, k_service, {}};
    const auto other = spawn(plain);
    ASSERT_TRUE(other);
    const std::string other_proc = "/proc/" + std::to_string(other->pid());
    const pid_t spy = ::fork();
    if (spy == 0) {
        if (::setgroups(0, nullptr) != 0 || ::setresgid(k_service, k_service, k_service) != 0 ||
            ::setresuid(k_service, k_service, k_service) != 0)
            ::_exit(1);
        if (::open((other_proc + "/mem").c_str(), O_RDONLY) < 0) ::_exit(2);
        if (::open((proc + "/mem").c_str(), O_RDONLY) >= 0) ::_exit(3);
        if (::open((proc + "/environ").c_str(), O_RDONLY) >= 0) ::_exit(4);
        if (::ptrace(PTRACE_SEIZE, sealer.process.pid(), nullptr, nullptr) == 0) ::_exit(5);
        ::_exit(errno == EPERM ? 0 : 6);
    }
    int result = 0;
    ASSERT_EQ(::waitpid(spy, &result, 0), spy);
    EXPECT_EQ(WEXITSTATUS(result), 0);
    pair->first.reset();
    const auto answer = decoded<wire::CommitResult>(answer_of(sealer));
    EXPECT_EQ(answer.outcome.code, static_cast<std::uint32_t>(Code::store_unwritable));
    EXPECT_EQ(answer.outcome.errnum, EPIPE);
}

TEST_F(WorkersTest, AWriterThatIsKilledInACommitLeavesAnErrorAndNothingElse) {
    ASSERT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U);
    std::uint32_t generation = 2;
    bool more = true;
    for (int number = 1; more; number += 4, ++generation) {
        ASSERT_LT(number, 400);
        Fd to_writer;
        Worker writer = start_writer(to_writer, true);
        auto pair = make_stream_pair();
        const Fd dir = open_path(make_local(images({0, generation})));
        Worker sealer = start_sealer(wire::encode(commit_request(0, generation)), {dir.get()}, pair->second);
        pair->second.reset();
        more = false;
        pass_on(pair->first, to_writer, number, [&] {
            more = true;
            writer.process.kill(SIGKILL);
            EXPECT_TRUE(writer.process.wait(k_limit));
        });
        pair->first.reset();
        const auto answer = decoded<wire::CommitResult>(answer_of(sealer));
        EXPECT_EQ(sealer.process.wait(k_limit), 0);
        if (answer.outcome.code != 0) {
            EXPECT_TRUE(more) << answer.outcome.what;
            EXPECT_EQ(answer.outcome.code, static_cast<std::uint32_t>(Code::store_unwritable));
            EXPECT_EQ(answer.outcome.errnum, EPIPE) << answer.outcome.what;
        }
        for (const std::string& name : generations())
            EXPECT_TRUE(fs::exists(fs::path(m_store) / "alpha/4711-0a1b2c3d/inc-0" / name / "manifest"));
    }
    // Whatever has been left behind is swept by the last one, which nobody disturbed.
    EXPECT_LE(generations().size(), 3U);
    expect_restores(1, {0, generation - 1});
}

TEST_F(WorkersTest, AWriterThatIsKilledInAnAdoptionIsNoFreshStart) {
    ASSERT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U);
    bool more = true;
    for (int number = 1; more; number += 3) {
        ASSERT_LT(number, 400);
        Fd to_writer;
        Worker writer = start_writer(to_writer, false);
        auto pair = make_stream_pair();
        const Fd dir = open_path(make_local({}));
        Worker sealer = start_sealer(wire::encode(adopt_request(1)), {dir.get()}, pair->second);
        pair->second.reset();
        more = false;
        pass_on(pair->first, to_writer, number, [&] {
            more = true;
            writer.process.kill(SIGKILL);
            EXPECT_TRUE(writer.process.wait(k_limit));
        });
        pair->first.reset();
        const auto answer = decoded<wire::AdoptResult>(answer_of(sealer));
        if (answer.outcome.code == 0) {
            EXPECT_EQ(answer.found, wire::Found::generation) << "at " << number;
        } else {
            EXPECT_EQ(answer.outcome.errnum, EPIPE) << answer.outcome.what;
        }
    }
    expect_restores(1, {0, 1});
}

TEST_F(WorkersTest, AStoppedWriterIsNotWaitedFor) {
    Fd to_writer;
    Worker writer = start_writer(to_writer, true);
    writer.process.kill(SIGSTOP);
    const auto volume = RemoteVolume::connect(std::move(to_writer), {std::chrono::milliseconds(300)});
    ASSERT_FALSE(volume);
    EXPECT_EQ(volume.error().code, Code::deadline);
    EXPECT_THAT(volume.error().what, HasSubstr("does not answer: it was stopped"));
    writer.process.kill(SIGCONT);
    EXPECT_NE(writer.process.wait(k_limit), -1);
}

TEST_F(WorkersTest, ASealerThatIsKilledTakesTheWriterWithIt) {
    ASSERT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U);
    for (const int number : {1, 10, 20, 30}) {
        Fd to_writer;
        Worker writer = start_writer(to_writer, true);
        auto pair = make_stream_pair();
        const Fd dir = open_path(make_local(images({0, 2})));
        Worker sealer = start_sealer(wire::encode(commit_request(0, 2)), {dir.get()}, pair->second);
        pair->second.reset();
        pass_on(pair->first, to_writer, number, [&] {
            sealer.process.kill(SIGKILL);
            EXPECT_TRUE(sealer.process.wait(k_limit));
        });
        pair->first.reset();
        to_writer.reset();
        EXPECT_EQ(writer.process.wait(k_limit), 0);
        EXPECT_THAT(generations(), ::testing::ElementsAre("gen-000001"));
    }
    ASSERT_EQ(commit_of(0, 3, images({0, 3})).outcome.code, 0U);
    expect_restores(1, {0, 3});
}

} // namespace
} // namespace ckpt::store::test
