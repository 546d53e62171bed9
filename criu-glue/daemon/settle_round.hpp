// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "events.hpp"

namespace ckpt {

// The shims of a job were asked to settle (wire::Settle), and answer one after the other. An answer to an
// earlier round says nothing: something may have moved since.
class SettleRound {
public:
    SettleRound() = default;
    // `number`: another one for each round of a job.
    // `nodes`: where other tasks of the job run (coordinator.cpp).
    SettleRound(std::uint64_t number, std::set<TaskKey> asked, std::set<std::string> nodes = {})
        : m_number(number), m_asked(std::move(asked)), m_nodes(std::move(nodes)) {}

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
    [[nodiscard]] bool awaits(const std::string& node) const { return m_nodes.contains(node); }
    void answered(const std::string& node, bool at_rest) {
        m_nodes.erase(node);
        m_at_rest = m_at_rest && at_rest;
    }
    [[nodiscard]] bool is_complete() const { return m_asked.empty() && m_nodes.empty(); }
    [[nodiscard]] bool is_at_rest() const { return m_at_rest; } // as far as those say that have answered

private:
    std::uint64_t m_number = 0;
    std::set<TaskKey> m_asked;     // and have not answered yet
    std::set<std::string> m_nodes; // likewise
    bool m_at_rest = true;
};

} // namespace ckpt
