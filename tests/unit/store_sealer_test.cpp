// SPDX-License-Identifier: GPL-2.0-or-later
// What ckptd asks of ckpt-sealer, end to end.
#include <random>

#include "store_sealer_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string noise(std::size_t size) {
    std::mt19937 random(1);
    std::string bytes(size, '\0');
    std::ranges::generate(bytes, [&] { return static_cast<char>(random()); });
    return bytes;
}

TEST_F(SealerTest, TheLifeOfAJob) {
    EXPECT_EQ(adopt_by(0, make_local({}), true).found, wire::Found::nothing);
    const auto committed = commit_of(0, 1, images({0, 1}));
    ASSERT_EQ(committed.outcome.code, 0U) << committed.outcome.what;
    EXPECT_THAT(committed.notes, IsEmpty());
    EXPECT_GT(committed.stored_bytes, 500U);

    const fs::path target = make_local({});
    const auto adopted = adopt_by(1, target, false);
    ASSERT_EQ(adopted.outcome.code, 0U) << adopted.outcome.what;
    EXPECT_EQ(adopted.found, wire::Found::generation);
    EXPECT_EQ(adopted.generation, 1U);
    EXPECT_EQ(adopted.node, "n1");
    EXPECT_TRUE(files_in(target) == images({0, 1}));

    const fs::path list = m_temp.path() / "list";
    const Fd out(::open(list.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    wire::InspectRequest inspection;
    inspection.verify = true;
    EXPECT_EQ(must_ask<wire::InspectResult>(inspection, {out.get()}, false).outcome.code, 0U);
    EXPECT_THAT(read_file(list), HasSubstr("\"verified\":true"));
    EXPECT_THAT(read_file(list), HasSubstr("\"intact\":true"));

    wire::CompleteRequest end;
    end.place = place(1);
    end.drop_generations = true;
    EXPECT_EQ(must_ask<wire::CompleteResult>(end, {}, false).outcome.code, 0U);
    EXPECT_EQ(adopt_by(2, make_local({}), false).found, wire::Found::completed);
}

TEST_F(SealerTest, TheTasksOfAStep) {
    constexpr std::uint64_t k_stand_in = 0xfedcba9876543210;
    const Files of_task{{"core-2.img", "a step's"}, {"shim-state", "its shim's"}};
    const Fd batch = open_path(make_local(images({0, 1})));
    const Fd task = open_path(make_local(of_task));
    wire::CommitRequest commit = commit_request(0, 1);
    commit.parts.push_back({2, 5, "n1", 10, 20, 1, "4.1.1", k_stand_in});
    commit.exited.push_back({k_stand_in, 6, -1});
    commit.step_dir = "steps";
    const auto committed = must_ask<wire::CommitResult>(commit, {batch.get(), task.get()}, true);
    ASSERT_EQ(committed.outcome.code, 0U) << committed.outcome.what;

    const auto adopted = adopt_by(1, make_local({}), false);
    ASSERT_EQ(adopted.found, wire::Found::generation);
    ASSERT_EQ(adopted.steps.size(), 1U);
    EXPECT_EQ(adopted.steps.front().stand_in, k_stand_in);
    EXPECT_EQ(adopted.steps.front().step_id, 2U);
    EXPECT_EQ(adopted.steps.front().task_id, 5U);
    ASSERT_EQ(adopted.exited.size(), 1U);
    EXPECT_EQ(adopted.exited.front().stand_in, k_stand_in);
    EXPECT_EQ(adopted.exited.front().task_id, 6U);
    EXPECT_EQ(adopted.exited.front().wait_status, -1);
    EXPECT_EQ(adopted.step_dir, "steps");

    const fs::path target = make_local({});
    const Fd dir = open_path(target);
    wire::PartRequest part{place(1), 0, 1, k_stand_in, 5, {}};
    const auto unpacked = must_ask<wire::PartResult>(part, {dir.get()}, false);
    EXPECT_EQ(unpacked.outcome.code, 0U) << unpacked.outcome.what;
    EXPECT_EQ(files_in(target), of_task);
    const fs::path empty = make_local({});
    const Fd other = open_path(empty);
    part.of_generation = 2;
    const auto refused = must_ask<wire::PartResult>(part, {other.get()}, false);
    EXPECT_EQ(refused.outcome.code, static_cast<std::uint32_t>(Code::store_corrupt));
    EXPECT_THAT(files_in(empty), IsEmpty());
    EXPECT_NE(must_ask<wire::PartResult>(part, {}, false).outcome.code, 0U) << "where to?";
}

// As many as a job may have, in one packet there and back; what would not fit is refused, not cut.
TEST_F(SealerTest, AllTasksOfAJob) {
    const Fd batch = open_path(make_local(images({0, 1})));
    wire::CommitRequest commit = commit_request(0, 1);
    while (commit.exited.size() < wire::k_job_tasks_max)
        commit.exited.push_back({7, static_cast<std::uint32_t>(commit.exited.size()), 256});
    ASSERT_EQ(must_ask<wire::CommitResult>(commit, {batch.get()}, true).outcome.code, 0U);
    const auto adopted = adopt_by(1, make_local({}), false);
    ASSERT_EQ(adopted.outcome.code, 0U) << adopted.outcome.what;
    EXPECT_EQ(adopted.found, wire::Found::generation);
    EXPECT_EQ(adopted.exited.size(), wire::k_job_tasks_max);

    commit.generation = 2;
    commit.place = place(1);
    commit.exited.push_back({8, 0, 0});
    ASSERT_EQ(must_ask<wire::CommitResult>(commit, {batch.get()}, true).outcome.code, 0U);
    const auto refused = adopt_by(2, make_local({}), false);
    EXPECT_EQ(refused.outcome.code, static_cast<std::uint32_t>(Code::restore_impossible));
}

TEST_F(SealerTest, AFailureTravelsToTheNextIncarnation) {
    ASSERT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U);
    wire::CompleteRequest end;
    end.place = place(0);
    end.how = wire::HowEnded::out_of_memory;
    end.memory_limit = 5000000000;
    ASSERT_EQ(must_ask<wire::CompleteResult>(end, {}, false).outcome.code, 0U);
    const auto next = adopt_by(1, make_local({}), false);
    EXPECT_EQ(next.found, wire::Found::generation);
    EXPECT_EQ(next.last_ended, wire::HowEnded::out_of_memory);
    EXPECT_EQ(next.last_memory_limit, 5000000000U);
    end.place = place(1);
    end.how = wire::HowEnded::fault;
    end.signal = 11;
    ASSERT_EQ(must_ask<wire::CompleteResult>(end, {}, false).outcome.code, 0U);
    const auto last = adopt_by(2, make_local({}), false);
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
    ASSERT_EQ(must_ask<wire::CompleteResult>(end, {}, false).outcome.code, 0U);
    const auto next = adopt_by(1, make_local({}), false);
    EXPECT_EQ(next.found, wire::Found::generation);
    EXPECT_TRUE(next.tree_was_stopped);
}

TEST_F(SealerTest, AnotherJobsGenerationAndOneThatIsHere) {
    ASSERT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U);
    wire::AdoptRequest same = adopt_request(1);
    same.here_generation = 1;
    const Fd unused = open_path(make_local({}));
    const auto here = must_ask<wire::AdoptResult>(same, {unused.get()}, false);
    EXPECT_EQ(here.found, wire::Found::generation);
    EXPECT_TRUE(here.is_here);

    const std::uint32_t source = std::exchange(m_owner.job_id, 5000);
    m_owner.uuid = std::string(32, '5');
    wire::AdoptRequest request = adopt_request(0);
    request.other_job = source;
    const fs::path target = make_local({});
    const Fd dir = open_path(target);
    const auto taken = must_ask<wire::AdoptResult>(request, {dir.get()}, true);
    ASSERT_EQ(taken.outcome.code, 0U) << taken.outcome.what;
    EXPECT_EQ(taken.of_job, source);
    EXPECT_TRUE(files_in(target) == images({0, 1}));
}

TEST_F(SealerTest, AFullFileSystemLeavesTheLastGeneration) {
    ASSERT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, 0U);
    const auto full = commit_of(0, 2, {{"pages-1.img", noise(4U << 20U)}});
    EXPECT_EQ(full.outcome.code, static_cast<std::uint32_t>(Code::store_full));
    EXPECT_EQ(full.outcome.errnum, ENOSPC);
    EXPECT_THAT(full.outcome.what,
                HasSubstr("generation 2 of incarnation 0 in " + m_store + "/alpha/4711-0a1b2c3d"));
    EXPECT_EQ(std::distance(fs::directory_iterator(fs::path(m_store) / "alpha/4711-0a1b2c3d/packs"), {}), 1);
    expect_restores(1, {0, 1});
}

TEST_F(SealerTest, AUserWithoutADirectoryHasNothingInTheStore) {
    const auto nothing = adopt_by(1, make_local({}), false);
    EXPECT_EQ(nothing.outcome.code, 0U) << nothing.outcome.what;
    EXPECT_EQ(nothing.found, wire::Found::nothing);
    EXPECT_FALSE(fs::exists(m_store));
}

TEST_F(SealerTest, AMissingStoreIsNotAJobWithoutGenerations) {
    m_store += "/user";
    const auto missing = adopt_by(1, make_local({}), false);
    EXPECT_EQ(missing.outcome.code, static_cast<std::uint32_t>(Code::store_unwritable));
    EXPECT_THAT(missing.outcome.hint, HasSubstr("mounted"));
    EXPECT_FALSE(fs::exists(m_store));
}

TEST_F(SealerTest, WhoseEndIsRecordedWhereNothingWasStoredLeavesNothing) {
    wire::CompleteRequest end;
    end.place = place(0);
    EXPECT_EQ(must_ask<wire::CompleteResult>(end, {}, false).outcome.code, 0U);
    EXPECT_FALSE(fs::exists(m_store));
}

TEST_F(SealerTest, AKeyThatOthersReadIsRefused) {
    ASSERT_EQ(::chmod(m_key_file.c_str(), 0644), 0);
    EXPECT_EQ(commit_of(0, 1, images({0, 1})).outcome.code, static_cast<std::uint32_t>(Code::store_key));
    ASSERT_EQ(::chmod(m_key_file.c_str(), 0600), 0);
    ASSERT_EQ(::chown(m_key_file.c_str(), k_service, k_service), 0);
    EXPECT_EQ(adopt_by(0, make_local({}), true).outcome.code, static_cast<std::uint32_t>(Code::store_key));
    write_file(m_key_file, "no key");
    ASSERT_EQ(::chown(m_key_file.c_str(), 0, 0), 0);
    EXPECT_EQ(adopt_by(0, make_local({}), true).outcome.code, static_cast<std::uint32_t>(Code::store_key));
}

TEST_F(SealerTest, RequestsWithTheWrongDescriptorsAreRefused) {
    const auto malformed = static_cast<std::uint32_t>(Code::wire_malformed);
    EXPECT_EQ(must_ask<wire::CommitResult>(commit_request(0, 1), {}, true).outcome.code, malformed);
    EXPECT_EQ(must_ask<wire::AdoptResult>(adopt_request(0), {}, true).outcome.code, malformed);
    EXPECT_EQ(must_ask<wire::InspectResult>(wire::InspectRequest{}, {}, true).outcome.code, malformed);
    Fd channel;
    auto sealer = start(CKPT_SEALER, Identity{k_service, k_service, {}}, channel);
    ASSERT_TRUE(sealer);
    wire::CompleteRequest end;
    end.place = place(0);
    ASSERT_TRUE(send_packet(channel.get(), wire::encode(end))); // neither stream nor key
    const auto answer = receive_packet(channel.get(), k_limit);
    ASSERT_TRUE(answer);
    EXPECT_EQ(wire::decode<wire::CompleteResult>(answer->bytes)->outcome.code, malformed);
}

TEST_F(SealerTest, WhatIsNoRequestGetsNoAnswer) {
    for (const std::string& request : {std::string("hello"), wire::encode(wire::CommitResult{})}) {
        Fd stream;
        Worker writer = start_writer(stream, true);
        Worker sealer = start_sealer(request, {}, stream);
        stream.reset();
        EXPECT_FALSE(answer_of(sealer));
        EXPECT_NE(sealer.process.wait(k_limit), 0);
        EXPECT_EQ(writer.process.wait(k_limit), 0);
    }
}

} // namespace
} // namespace ckpt::store::test
