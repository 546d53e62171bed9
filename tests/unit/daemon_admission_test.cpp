// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include "daemon/admission.hpp"

namespace ckpt {
namespace {

using Turn = DumpQueue::Turn;

class Admission : public testing::Test {
protected:
    // The next job's number, 0 = none.
    std::uint32_t next(std::size_t running, std::uint32_t limit, std::uint32_t cannot = 0) {
        m_turn = m_queue.next(running, limit, [&](std::uint32_t job) { return job != cannot; });
        return m_turn ? m_turn->job_id : 0;
    }
    DumpQueue m_queue;
    std::optional<Turn> m_turn;
};

TEST_F(Admission, InTheOrderTheyCameAndNoMoreThanTheLimit) {
    for (const std::uint32_t job : {7, 3, 5})
        m_queue.add({job});
    EXPECT_EQ(next(2, 2), 0U);
    EXPECT_EQ(next(3, 2), 0U) << "a forced end is taken beyond the limit";
    EXPECT_EQ(next(1, 2), 7U);
    EXPECT_EQ(next(1, 2), 3U);
    EXPECT_EQ(next(0, 1), 5U);
    EXPECT_EQ(next(0, 1), 0U);
    EXPECT_TRUE(m_queue.is_empty());
}

TEST_F(Admission, WithoutALimitAllBegin) {
    for (std::uint32_t job = 1; job <= 100; ++job)
        m_queue.add({job});
    for (std::uint32_t job = 1; job <= 100; ++job)
        EXPECT_EQ(next(job - 1, 0), job);
}

TEST_F(Admission, UsersTakeTurns) {
    constexpr uid_t k_alice = 2001;
    constexpr uid_t k_bob = 2002;
    const auto of = [](std::uint32_t job, uid_t uid) {
        Turn turn{job};
        turn.uid = uid;
        return turn;
    };
    for (std::uint32_t job = 1; job <= 4; ++job)
        m_queue.add(of(job, k_bob));
    EXPECT_EQ(next(0, 1), 1U);
    m_queue.add(of(5, k_alice));
    m_queue.add(of(6, k_alice));
    EXPECT_EQ(next(0, 1), 5U) << "bob has had his turn";
    EXPECT_EQ(next(0, 1), 2U);
    m_queue.add(of(7, k_alice));
    EXPECT_EQ(next(0, 1), 6U) << "in the order in which they came, of one user";
    EXPECT_EQ(next(0, 1), 3U);
    EXPECT_EQ(next(0, 1), 7U);
    EXPECT_EQ(next(0, 1), 4U);
    EXPECT_EQ(next(0, 1), 0U);
}

TEST_F(Admission, WhoComesBackAtOnceKeepsNobodyOut) {
    const auto add = [this](std::uint32_t job, uid_t uid) {
        Turn turn{job};
        turn.uid = uid;
        m_queue.add(turn);
    };
    add(1, 2001);
    add(2, 2002);
    EXPECT_EQ(next(0, 1), 1U);
    add(1, 2001);
    EXPECT_EQ(next(0, 1), 2U);
}

TEST_F(Admission, AJobThatAsksAgainKeepsItsPlace) {
    m_queue.add({1});
    m_queue.add({2});
    m_queue.add({1});
    m_queue.add({1, true, true});
    m_queue.add({1});
    ASSERT_EQ(next(0, 1), 1U);
    EXPECT_TRUE(m_turn->on_demand) << "who waits for it is answered";
    EXPECT_TRUE(m_turn->is_awaited);
    EXPECT_EQ(next(0, 1), 2U);
    EXPECT_FALSE(m_turn->on_demand);
    EXPECT_EQ(next(0, 1), 0U);
}

TEST_F(Admission, AJobThatCannotBeDumpedIsInNobodysWay) {
    m_queue.add({1});
    m_queue.add({2});
    EXPECT_EQ(next(1, 1, 1), 0U);
    EXPECT_EQ(next(0, 1), 2U) << "what was due of job 1 is forgotten";
    EXPECT_TRUE(m_queue.is_empty());
}

TEST_F(Admission, WhoAskedIsRefusedAtOnceHoweverMuchRuns) {
    m_queue.add({1});
    m_queue.add({2, true, true});
    EXPECT_EQ(next(9, 1, 2), 2U);
    EXPECT_TRUE(m_turn->is_awaited);
    EXPECT_EQ(next(9, 1, 2), 0U);
    EXPECT_EQ(next(0, 1, 2), 1U);
}

TEST_F(Admission, ManyAreRefusedOneByOne) {
    m_queue.add({1, true});
    m_queue.add({2, true});
    const auto none = [](std::uint32_t) { return false; };
    EXPECT_EQ(m_queue.next(9, 1, none)->job_id, 1U);
    EXPECT_EQ(m_queue.next(9, 1, none)->job_id, 2U);
    EXPECT_FALSE(m_queue.next(9, 1, none));
}

TEST_F(Admission, ANewIntervalMakesTheOldOneVoidAndNotWhatWasAskedFor) {
    m_queue.add({1});
    m_queue.add({2, true});
    m_queue.forget_due(1);
    m_queue.forget_due(2);
    EXPECT_EQ(next(0, 1), 2U);
    EXPECT_TRUE(m_queue.is_empty());
}

TEST_F(Admission, AJobThatHasGoneIsForgotten) {
    m_queue.add({1});
    m_queue.add({2});
    m_queue.remove(1);
    m_queue.remove(9);
    EXPECT_EQ(next(0, 1), 2U);
    EXPECT_TRUE(m_queue.is_empty());
}

} // namespace
} // namespace ckpt
