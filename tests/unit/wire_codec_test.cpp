// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <random>

#include "wire/engine_messages.hpp"
#include "wire/messages.hpp"
#include "wire/store_messages.hpp"

namespace ckpt::wire {
namespace {

JobOpen sample() {
    JobOpen m;
    m.job_id = 4711;
    m.uid = 2001;
    m.restart_count = 3;
    m.cluster = "ckpt";
    m.options = {{"checkpoint", ""}, {"checkpoint-interval", "30m"}};
    return m;
}

TEST(Codec, RoundTripKeepsEveryField) {
    const auto back = decode<JobOpen>(encode(sample()));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->job_id, 4711U);
    EXPECT_EQ(back->cluster, "ckpt");
    ASSERT_EQ(back->options.size(), 2U);
    EXPECT_EQ(back->options[1].value, "30m");
}

TEST(Codec, NegativeNumbersSurvive) {
    TreeExited m;
    m.wait_status = -7;
    EXPECT_EQ(decode<TreeExited>(encode(m))->wait_status, -7);
}

TEST(Codec, EveryPrefixIsRefused) {
    const std::string whole = encode(sample());
    for (std::size_t n = 0; n < whole.size(); ++n)
        EXPECT_FALSE(decode<JobOpen>(whole.substr(0, n))) << n;
}

TEST(Codec, TrailingBytesAreRefused) {
    EXPECT_FALSE(decode<JobOpen>(encode(sample()) + "x"));
}

TEST(Codec, AnotherTypeIsRefused) {
    EXPECT_FALSE(decode<JobOpen>(encode(ShimTerm{})));
}

TEST(Codec, AnotherVersionIsRefusedWithARemedy) {
    std::string bytes = encode(ShimTerm{});
    bytes[4] = 9;
    const auto decoded = decode<ShimTerm>(bytes);
    ASSERT_FALSE(decoded);
    EXPECT_NE(decoded.error().hint, "");
}

TEST(Codec, ClaimedListLengthAllocatesNothing) {
    std::string bytes = encode(JobOpen{});
    for (std::size_t i = bytes.size() - 4; i < bytes.size(); ++i)
        bytes[i] = '\xff';
    EXPECT_FALSE(decode<JobOpen>(bytes));
}

TEST(Codec, RandomDamageNeverCrashes) {
    std::mt19937 random(20240917); // NOLINT(cert-msc51-cpp): a fixed seed repeats a failure
    const std::string whole = encode(sample());
    for (int round = 0; round < 20000; ++round) {
        std::string bytes = whole;
        for (int flips = 0; flips < 4; ++flips)
            bytes[random() % bytes.size()] = static_cast<char>(random());
        (void)decode<JobOpen>(bytes);
        (void)decode<DumpRequest>(bytes);
    }
}

// ---- lists that grow with what a job runs ----

constexpr std::size_t k_packet_max = 64 * 1024; // os/socket.hpp

TEST(Packets, HoldAllThatAShimMayName) {
    StepsKnown known;
    known.stand_ins.resize(StepsKnown::k_stand_ins_max);
    EXPECT_LT(encode(known).size(), k_packet_max);
    Settled settled;
    settled.sruns.resize(Settled::k_sruns_max);
    settled.stand_ins.resize(Settled::k_sruns_max);
    EXPECT_LT(encode(settled).size(), k_packet_max);
}

constexpr std::size_t k_node_name_max = 64; // Slurm's, and Linux's

// Those of this node, with the script; those of others, and those that have ended.
TEST(Packets, HoldAllTasksOfAJob) {
    CommitRequest commit;
    commit.place.base = commit.leases = std::string(4096, 'p');
    commit.parts.resize(k_tasks_max);
    for (Part& part : commit.parts) {
        part.node.assign(k_node_name_max, 'n');
        part.criu_version.assign(32, 'v');
    }
    commit.elsewhere.resize(k_job_tasks_max - k_tasks_max - 1);
    commit.exited.resize(1);
    const std::string bytes = encode(commit);
    EXPECT_LT(bytes.size(), k_packet_max);
    const auto again = decode<CommitRequest>(bytes);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->elsewhere.size(), commit.elsewhere.size());
    AdoptResult adopted;
    adopted.steps.resize(k_job_tasks_max - 1);
    adopted.exited.resize(1);
    adopted.skipped.assign(33, std::string(400, 's')); // as ckpt-sealer bounds them
    adopted.node.assign(k_node_name_max, 'n');
    EXPECT_LT(encode(adopted).size(), k_packet_max);
    EXPECT_TRUE(decode<AdoptResult>(encode(adopted)));
}

TEST(Packets, HoldAllThatATreeMayNotReach) {
    DumpRequest dump;
    dump.outsiders.resize(2 * k_tasks_max);
    EXPECT_LT(encode(dump).size(), k_packet_max);
}

} // namespace
} // namespace ckpt::wire
