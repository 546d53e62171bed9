// SPDX-License-Identifier: GPL-2.0-or-later
// How often the record of a job's end is tried again, and how long the job waits for it.
#include <gtest/gtest.h>

#include "daemon/record_again.hpp"

namespace ckpt {
namespace {

using namespace std::chrono_literals;

const Error k_killed{Code::store_unwritable, "ckpt-sealer has ended without an answer", "", 0};

TEST(RecordAgain, ASealerThatWasKilledIsFollowedByAnotherWhileTheJobWaits) {
    const RecordAgain again = record_again(k_killed, 1, 0s);
    EXPECT_EQ(again.in, 1s);
    EXPECT_TRUE(again.holds_up);
}

TEST(RecordAgain, TheJobWaitsHalfAMinuteAndItIsTriedForAWeek) {
    std::chrono::seconds age{0};
    std::chrono::seconds held{0};
    std::chrono::seconds before{0};
    unsigned tries = 1;
    for (;; ++tries) {
        ASSERT_LT(tries, 1000U);
        const RecordAgain again = record_again(k_killed, tries, age);
        if (!again.in) break;
        EXPECT_GE(*again.in, before) << "less and less often";
        before = *again.in;
        if (again.holds_up) held = age + *again.in;
        age += *again.in;
    }
    EXPECT_LE(held, 30s);
    EXPECT_GE(held, 10s);
    EXPECT_EQ(before, 3600s);
    EXPECT_GE(age, 7 * 24h);
}

TEST(RecordAgain, ASuccessorThatHasTakenOverEndsIt) {
    const RecordAgain again =
        record_again({Code::not_permitted, "incarnation 2 has taken over", "", 0}, 1, 0s);
    EXPECT_FALSE(again.in);
    EXPECT_FALSE(again.holds_up);
}

} // namespace
} // namespace ckpt
