// SPDX-License-Identifier: GPL-2.0-or-later
// Which dumps of a node begin when: those that can wait, periodic ones and those that somebody asks for, wait
// for one another. What is taken before a forced end or a time limit has a deadline and never comes here; it
// counts among those that run. A job stands in the queue once, however often it wants to be dumped, and users
// take turns: one with many jobs does not keep another's waiting until all of them are through. Pure: what
// runs and which job can be dumped is asked of the caller, so nothing here can get out of step with it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "events.hpp"

namespace ckpt {

class DumpQueue {
public:
    struct Turn {
        std::uint32_t job_id = 0;
        bool on_demand = false;
        bool is_awaited = false;           // by whoever has asked for it
        Reason reason = Reason::on_demand; // of what was asked for
        bool by_signal = false;
        uid_t uid = 0; // whose job it is
    };

    // A job that is in the queue already keeps its place; what is asked for is more than what is due.
    void add(const Turn& turn);
    void remove(std::uint32_t job_id);
    // Only what is due: its next interval has begun.
    void forget_due(std::uint32_t job_id);
    [[nodiscard]] bool is_empty() const { return m_waiting.empty(); }

    // Takes the next that may begin out of the queue, the first of the user whose last turn is longest ago,
    // while `running` are at it and at most `limit` (0 = any number) may be. A job for which `can_dump` is
    // false, since it is ending, say, is in nobody's way: what is due is forgotten, the next one comes with
    // the job's next interval; what somebody has asked for is returned at once, to be refused.
    std::optional<Turn> next(std::size_t running, std::uint32_t limit,
                             const std::function<bool(std::uint32_t job_id)>& can_dump);

private:
    std::vector<Turn> m_waiting;              // in the order in which they came
    std::map<uid_t, std::uint64_t> m_turn_of; // of each user's last turn, since the queue was empty
    std::uint64_t m_turns = 0;
};

} // namespace ckpt
