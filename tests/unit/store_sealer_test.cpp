// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-sealer itself, over its socket, with a store on a small file system of its own. Needs root for the
// mount.
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "os/process.hpp"
#include "os/socket.hpp"
#include "store_testbed.hpp"
#include "wire/worker.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SealerTest : public StoreTest {
protected:
    // Owned by root down from "/", unlike anything below /tmp.
    const std::string m_mount = "/run/ckpt-sealer-test-" + std::to_string(::getpid());

    // The mounts of one test are its own and go with it: every test of ctest is a process.
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount a file system";
        if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
            GTEST_SKIP() << "needs CAP_SYS_ADMIN to mount a file system";
        ASSERT_EQ(::mkdir(m_mount.c_str(), 0755), 0);
        ASSERT_EQ(::mount("store", m_mount.c_str(), "tmpfs", 0, "size=2m,mode=0755"), 0);
        ASSERT_TRUE(create_key(m_mount + "/key"));
        m_owner.cluster = "alpha";
    }
    void TearDown() override {
        ::umount2(m_mount.c_str(), MNT_DETACH);
        ::rmdir(m_mount.c_str());
    }

    [[nodiscard]] wire::StorePlace place(std::uint32_t incarnation) const {
        return {m_store,        m_mount + "/key", m_owner.cluster, m_owner.uuid,
                m_owner.job_id, m_owner.uid,      incarnation};
    }
    static Result<std::string> ask(const std::string& request, const std::vector<int>& fds, int& status) {
        CKPT_TRY(auto pair, make_socket_pair());
        SpawnSpec spec;
        spec.path = CKPT_SEALER;
        spec.argv = {"ckpt-sealer"};
        spec.fds = {{pair.second.get(), wire::k_worker_fd}};
        CKPT_TRY(Child child, spawn(spec));
        pair.second.reset();
        CKPT_CHECK(send_packet(pair.first.get(), request, fds));
        auto answer = receive_packet(pair.first.get(), std::chrono::seconds(30));
        CKPT_TRY(status, child.wait(std::chrono::seconds(30)));
        if (!answer) return tl::unexpected(answer.error());
        return answer->bytes;
    }
    template <typename Answer, typename Request>
    Answer must_ask(const Request& request, const std::vector<int>& fds) {
        int status = -1;
        const auto bytes = ask(wire::encode(request), fds, status);
        EXPECT_TRUE(bytes) << one_line(bytes.error());
        EXPECT_EQ(status, 0);
        if (!bytes) return {};
        const auto answer = wire::decode<Answer>(*bytes);
        EXPECT_TRUE(answer) << one_line(answer.error());
        return answer ? *answer : Answer{};
    }
    wire::CommitResult commit_of(std::uint32_t incarnation, std::uint32_t generation, const Files& files) {
        wire::CommitRequest request;
        request.place = place(incarnation);
        request.generation = generation;
        request.keep = 3;
        request.taken_at = 1700000000;
        request.reason = "on demand";
        request.parts.push_back({k_step, 0, "n1", 10, 20, 1, "4.1.1"});
        const Fd dir = open_path(make_dump(files));
        return must_ask<wire::CommitResult>(request, {dir.get()});
    }
    wire::AdoptResult adopt_by(std::uint32_t incarnation, const fs::path& target) {
        wire::AdoptRequest request;
        request.place = place(incarnation);
        request.step_id = k_step;
        const Fd dir = open_path(target);
        return must_ask<wire::AdoptResult>(request, {dir.get()});
    }

    const std::string m_store = m_mount + "/site/store";
};

TEST_F(SealerTest, TheLifeOfAJob) {
    EXPECT_EQ(adopt_by(0, make_dump({})).found, wire::Found::nothing);
    const auto committed = commit_of(0, 1, images({0, 1}));
    ASSERT_EQ(committed.outcome.code, 0U) << committed.outcome.what;
    EXPECT_THAT(committed.notes, IsEmpty());
    EXPECT_GT(committed.stored_bytes, 1000U);

    const fs::path target = make_dump({});
    const auto adopted = adopt_by(1, target);
    ASSERT_EQ(adopted.outcome.code, 0U) << adopted.outcome.what;
    EXPECT_EQ(adopted.found, wire::Found::generation);
    EXPECT_EQ(adopted.generation, 1U);
    EXPECT_EQ(adopted.node, "n1");
    EXPECT_TRUE(files_in(target) == images({0, 1}));

    const fs::path list = m_temp.path() / "list";
    const Fd out(::open(list.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    wire::InspectRequest inspection;
    inspection.base = m_store;
    inspection.key_file = place(0).key_file;
    EXPECT_EQ(must_ask<wire::InspectResult>(inspection, {out.get()}).outcome.code, 0U);
    EXPECT_THAT(read_file(list), HasSubstr("\"verified\":true"));

    wire::CompleteRequest end;
    end.place = place(1);
    end.drop_generations = true;
    EXPECT_EQ(must_ask<wire::CompleteResult>(end, {}).outcome.code, 0U);
    EXPECT_EQ(adopt_by(2, make_dump({})).found, wire::Found::completed);
}

TEST_F(SealerTest, AFailureTravelsToTheNextIncarnation) {
    ASSERT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U);
    wire::CompleteRequest end;
    end.place = place(0);
    end.how = wire::HowEnded::out_of_memory;
    end.memory_limit = 5000000000;
    ASSERT_EQ(must_ask<wire::CompleteResult>(end, {}).outcome.code, 0U);
    const auto next = adopt_by(1, make_dump({}));
    EXPECT_EQ(next.found, wire::Found::generation);
    EXPECT_EQ(next.last_ended, wire::HowEnded::out_of_memory);
    EXPECT_EQ(next.last_memory_limit, 5000000000U);
    end.place = place(1);
    end.how = wire::HowEnded::fault;
    end.signal = 11;
    ASSERT_EQ(must_ask<wire::CompleteResult>(end, {}).outcome.code, 0U);
    const auto last = adopt_by(2, make_dump({}));
    EXPECT_EQ(last.last_ended, wire::HowEnded::fault);
    EXPECT_EQ(last.last_signal, 11);
    EXPECT_FALSE(last.fault_again);
}

TEST_F(SealerTest, AStopTravelsToTheNextIncarnation) {
    ASSERT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U);
    wire::CompleteRequest end;
    end.place = place(0);
    end.how = wire::HowEnded::stopped;
    end.generation = 1;
    ASSERT_EQ(must_ask<wire::CompleteResult>(end, {}).outcome.code, 0U);
    const auto next = adopt_by(1, make_dump({}));
    EXPECT_EQ(next.found, wire::Found::generation);
    EXPECT_TRUE(next.tree_was_stopped);
}

TEST_F(SealerTest, AFullFileSystemLeavesTheLastGeneration) {
    ASSERT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U);
    const auto full = commit_of(0, 2, {{"pages-1.img", std::string(4U << 20U, 'x')}});
    EXPECT_EQ(full.outcome.code, static_cast<std::uint32_t>(Code::store_full));
    EXPECT_EQ(full.outcome.errnum, ENOSPC);
    EXPECT_THAT(full.outcome.what,
                HasSubstr("generation 2 of incarnation 0 in " + m_store + "/alpha/4711-0a1b2c3d"));
    const fs::path target = make_dump({});
    EXPECT_EQ(adopt_by(1, target).generation, 1U);
    EXPECT_TRUE(files_in(target) == images({0, 1}));
}

TEST_F(SealerTest, ABaseThatOthersCouldSwapIsRefused) {
    ASSERT_EQ(::mkdir((m_mount + "/site").c_str(), 0777), 0);
    ASSERT_EQ(::chmod((m_mount + "/site").c_str(), 0777), 0);
    const auto refused = commit_of(0, 1, images({0, 1}));
    EXPECT_EQ(refused.outcome.code, static_cast<std::uint32_t>(Code::not_permitted));
    EXPECT_THAT(refused.outcome.what, HasSubstr(m_mount + "/site is writable by others"));
    EXPECT_EQ(adopt_by(1, make_dump({})).outcome.code, static_cast<std::uint32_t>(Code::not_permitted));
    EXPECT_FALSE(fs::exists(m_store));
}

TEST_F(SealerTest, AMissingStoreIsNotAJobWithoutGenerations) {
    const auto missing = adopt_by(1, make_dump({}));
    EXPECT_EQ(missing.outcome.code, static_cast<std::uint32_t>(Code::store_unwritable));
    EXPECT_THAT(missing.outcome.hint, HasSubstr("mounted"));
    EXPECT_FALSE(fs::exists(m_store));
}

TEST_F(SealerTest, AKeyThatOthersReadIsRefused) {
    ASSERT_EQ(::chmod((m_mount + "/key").c_str(), 0644), 0);
    EXPECT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, static_cast<std::uint32_t>(Code::store_key));
    ASSERT_EQ(::unlink((m_mount + "/key").c_str()), 0);
    EXPECT_EQ(adopt_by(0, make_dump({})).outcome.code, static_cast<std::uint32_t>(Code::store_key));
}

TEST_F(SealerTest, RequestsWithTheWrongDescriptorsAreRefused) {
    wire::CommitRequest request;
    request.place = place(0);
    request.generation = 1;
    request.parts.resize(1);
    EXPECT_EQ(must_ask<wire::CommitResult>(request, {}).outcome.code,
              static_cast<std::uint32_t>(Code::wire_malformed));
    wire::AdoptRequest adoption;
    adoption.place = place(0);
    EXPECT_EQ(must_ask<wire::AdoptResult>(adoption, {}).outcome.code,
              static_cast<std::uint32_t>(Code::wire_malformed));
}

TEST_F(SealerTest, WhatIsNoRequestGetsNoAnswer) {
    int status = 0;
    EXPECT_FALSE(ask("hello", {}, status));
    EXPECT_FALSE(ask(wire::encode(wire::CommitResult{}), {}, status));
}

} // namespace
} // namespace ckpt::store::test
