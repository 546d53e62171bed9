// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>

namespace ckpt {

// Anybody may cause lines in the log as often as they like: some a minute of each user's are enough, and
// nobody's keep another user's out.
class LineLimit {
public:
    static constexpr unsigned k_lines = 10;
    static constexpr std::int64_t k_period_s = 60;

    struct Verdict {
        bool may = false;
        unsigned left_out = 0; // lines of this user's in an earlier minute, told once
    };
    // May a line that `uid` has caused be written? `now`: Unix seconds.
    Verdict ask(uid_t uid, std::int64_t now) {
        Count& count = m_counts[uid];
        Verdict verdict;
        if (now - count.since >= k_period_s || now < count.since) {
            verdict.left_out = count.lines > k_lines ? count.lines - k_lines : 0;
            count = {now, 0};
        }
        verdict.may = ++count.lines <= k_lines;
        return verdict;
    }

private:
    struct Count {
        std::int64_t since = 0;
        unsigned lines = 0;
    };
    std::map<uid_t, Count> m_counts;
};

} // namespace ckpt
