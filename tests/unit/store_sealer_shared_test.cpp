// SPDX-License-Identifier: GPL-2.0-or-later
// One generation by the sealers of several nodes, as their ckptds drive them.
#include "store_sealer_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t k_stand_in = 0xfedcba9876543210;
constexpr std::uint32_t k_patience_ms = 60'000;

class SharedSealerTest : public SealerTest {
protected:
    struct Committing {
        Worker writer;
        Worker sealer;
    };
    // A commit that has a part of another node, and is ready for it.
    Committing begin(std::uint32_t generation, std::uint32_t patience_ms = k_patience_ms) {
        const Fd batch = open_path(make_local(images({0, generation})));
        wire::CommitRequest request = commit_request(0, generation);
        request.elsewhere.push_back({k_stand_in, 2, 5});
        request.elsewhere_ms = patience_ms;
        Committing commit;
        Fd stream;
        commit.writer = start_writer(stream, true);
        commit.sealer = start_sealer(wire::encode(request), {batch.get()}, stream);
        stream.reset();
        decoded<wire::CommitReady>(answer_of(commit.sealer));
        return commit;
    }
    static void tell(const Committing& commit, const wire::Outcome& outcome) {
        EXPECT_TRUE(send_packet(commit.sealer.channel.get(), wire::encode(wire::CommitGoOn{outcome})));
    }
    static wire::CommitResult end(Committing& commit) {
        auto result = decoded<wire::CommitResult>(answer_of(commit.sealer));
        EXPECT_EQ(commit.sealer.process.wait(k_limit), 0);
        EXPECT_EQ(commit.writer.process.wait(k_limit), 0);
        return result;
    }

    [[nodiscard]] wire::SealRequest seal_request(std::uint32_t generation) const {
        wire::SealRequest request;
        request.place = place(0);
        request.generation = generation;
        request.compression = 1;
        request.parts.push_back({2, 5, "n2", 10, 20, 1, "4.1.1", k_stand_in});
        return request;
    }
    // What the other node's does.
    wire::SealResult seal(std::uint32_t generation) {
        const Fd task = open_path(make_local(of_task(generation)));
        return must_ask<wire::SealResult>(seal_request(generation), {task.get()}, false);
    }
    static Files of_task(std::uint32_t generation) {
        return {{"core-2.img", "a step's, " + std::to_string(generation)}, {"shim-state", "its shim's"}};
    }

    void expect_both_restored(std::uint32_t generation) {
        expect_restores(1, {0, generation});
        const fs::path target = make_local({});
        const Fd dir = open_path(target);
        const wire::PartRequest part{place(1), 0, generation, k_stand_in, 5, {}};
        const auto unpacked = must_ask<wire::PartResult>(part, {dir.get()}, false);
        EXPECT_EQ(unpacked.outcome.code, 0U) << unpacked.outcome.what;
        EXPECT_EQ(files_in(target), of_task(generation));
    }
    [[nodiscard]] fs::path stored() const { return fs::path(m_store) / "alpha/4711-0a1b2c3d"; }
    // Of generations and packs.
    [[nodiscard]] std::vector<std::string> left() const {
        std::vector<std::string> names;
        for (const char* dir : {"inc-0", "packs"})
            for (const auto& entry : fs::directory_iterator(stored() / dir))
                names.push_back(entry.path().filename());
        return names;
    }
};

TEST_F(SharedSealerTest, ThePartsOfTwoNodesAreOneGeneration) {
    for (const std::uint32_t generation : {1U, 2U}) {
        Committing commit = begin(generation);
        const auto sealed = seal(generation);
        ASSERT_EQ(sealed.outcome.code, 0U) << sealed.outcome.what;
        EXPECT_GT(sealed.stored_bytes, 0U);
        tell(commit, {});
        const auto committed = end(commit);
        ASSERT_EQ(committed.outcome.code, 0U) << committed.outcome.what;
        EXPECT_THAT(committed.notes, IsEmpty());
        EXPECT_GT(committed.stored_bytes, sealed.stored_bytes);
    }
    expect_both_restored(2);
}

TEST_F(SharedSealerTest, ACommitThatIsToldOfAFailureIsGivenUp) {
    Committing commit = begin(1);
    ASSERT_EQ(seal(1).outcome.code, 0U);
    tell(commit, wire::outcome_of(Error{Code::store_full, "n3: no space", "free some there", 0}));
    const auto given_up = end(commit);
    EXPECT_EQ(given_up.outcome.code, static_cast<std::uint32_t>(Code::store_full));
    EXPECT_THAT(given_up.outcome.what, HasSubstr("n3: no space"));
    EXPECT_EQ(given_up.outcome.hint, "free some there");
    EXPECT_THAT(left(), IsEmpty());
    EXPECT_EQ(seal(1).outcome.code, static_cast<std::uint32_t>(Code::deadline)) << "it comes too late";
    EXPECT_THAT(left(), IsEmpty());
}

TEST_F(SharedSealerTest, ACommitThatHearsNothingIsGivenUp) {
    Committing commit = begin(1, 1);
    const auto given_up = end(commit);
    EXPECT_THAT(given_up.outcome.what, HasSubstr("were not there in time"));
    EXPECT_THAT(left(), IsEmpty());

    Committing deserted = begin(2);
    ASSERT_EQ(seal(2).outcome.code, 0U);
    deserted.sealer.channel.reset(); // ckptd has gone
    EXPECT_TRUE(deserted.sealer.process.wait(k_limit));
    EXPECT_EQ(deserted.writer.process.wait(k_limit), 0);
    EXPECT_THAT(left(), IsEmpty());
}

TEST_F(SharedSealerTest, WordsThatAreNoneAreRefused) {
    Committing commit = begin(1);
    ASSERT_EQ(seal(1).outcome.code, 0U);
    EXPECT_TRUE(send_packet(commit.sealer.channel.get(), wire::encode(wire::CommitReady())));
    EXPECT_EQ(end(commit).outcome.code, static_cast<std::uint32_t>(Code::wire_malformed));
    EXPECT_THAT(left(), IsEmpty());
    const auto malformed = must_ask<wire::SealResult>(seal_request(1), {}, false);
    EXPECT_EQ(malformed.outcome.code, static_cast<std::uint32_t>(Code::wire_malformed));
}

TEST_F(SharedSealerTest, WithoutThePartThereIsNoGeneration) {
    Committing commit = begin(1);
    tell(commit, {}); // although nobody has sealed it
    const auto committed = end(commit);
    EXPECT_EQ(committed.outcome.code, static_cast<std::uint32_t>(Code::store_corrupt));
    EXPECT_THAT(committed.outcome.what, HasSubstr("part-2-5: is missing"));
    EXPECT_THAT(left(), IsEmpty());
}

TEST_F(SharedSealerTest, TheSealerOfAnotherNodeIsKilled) {
    for (const int number : {1, 8, 16, 24}) {
        Committing commit = begin(1);
        Fd to_writer;
        Worker writer = start_writer(to_writer, false);
        auto pair = make_stream_pair();
        const Fd task = open_path(make_local(of_task(1)));
        Worker sealer = start_sealer(wire::encode(seal_request(1)), {task.get()}, pair->second);
        pair->second.reset();
        pass_on(pair->first, to_writer, number, [&] {
            sealer.process.kill(SIGKILL);
            EXPECT_TRUE(sealer.process.wait(k_limit));
        });
        pair->first.reset();
        to_writer.reset();
        EXPECT_EQ(writer.process.wait(k_limit), 0);
        tell(commit, wire::outcome_of(Error{Code::daemon_unreachable, "n2 is gone", "", 0}));
        EXPECT_EQ(end(commit).outcome.code, static_cast<std::uint32_t>(Code::daemon_unreachable));
        EXPECT_THAT(left(), IsEmpty()) << "at " << number;
    }
}

TEST_F(SharedSealerTest, TheCommittingSealerIsKilled) {
    Committing commit = begin(1);
    ASSERT_EQ(seal(1).outcome.code, 0U);
    commit.sealer.process.kill(SIGKILL);
    EXPECT_TRUE(commit.sealer.process.wait(k_limit));
    EXPECT_EQ(commit.writer.process.wait(k_limit), 0);
    EXPECT_EQ(adopt_by(1, make_local({}), false).found, wire::Found::nothing);
    fs::remove_all(stored() / "inc-1"); // as if that had not been
    Committing next = begin(2);
    ASSERT_EQ(seal(2).outcome.code, 0U);
    tell(next, {});
    ASSERT_EQ(end(next).outcome.code, 0U);
    EXPECT_THAT(left(), ElementsAre("gen-000002", ::testing::_, ::testing::_)) << "and its two packs";
    expect_both_restored(2);
}

} // namespace
} // namespace ckpt::store::test
