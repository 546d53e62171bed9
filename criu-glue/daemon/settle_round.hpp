// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <set>
#include <utility>

#include "events.hpp"

namespace ckpt {

// The shims of a job were asked to settle (wire::Settle), and answer one after the other. An answer to an
// earlier round says nothing: something may have moved since.
class SettleRound {
public:
    SettleRound() = default;
    // `number`: another one for each round of a job.
    SettleRound(std::uint64_t number, std::set<TaskKey> asked)
        : m_number(number), m_asked(std::move(asked)) {}

    [[nodiscard]] std::uint64_t number() const { return m_number; }
    // Whether it is an answer that is awaited.
    [[nodiscard]] bool awaits(const TaskKey& task, std::uint64_t number) const {
        return number == m_number && awaits(task);
    }
    [[nodiscard]] bool awaits(const TaskKey& task) const { return m_asked.contains(task); }
    void answered(const TaskKey& task, bool at_rest) {
        m_asked.erase(task);
        m_at_rest = m_at_rest && at_rest;
    }
    [[nodiscard]] bool is_complete() const { return m_asked.empty(); }
    [[nodiscard]] bool is_at_rest() const { return m_at_rest; } // as far as those say that have answered

private:
    std::uint64_t m_number = 0;
    std::set<TaskKey> m_asked; // and have not answered yet
    bool m_at_rest = true;
};

} // namespace ckpt
