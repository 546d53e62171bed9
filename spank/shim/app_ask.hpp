// SPDX-License-Identifier: GPL-2.0-or-later
// The shim's part in a program that saves itself (docs/app.md): it sends the signal, stops what waits for the
// program, and sees it end or make its marker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "os/fd.hpp"
#include "os/procfs.hpp"
#include "wire/app_messages.hpp"

namespace ckpt {

class AppAsk {
public:
    // `root`: ckpt-init of the tree. `stand_ins`: of the sruns that run; without any, a program that is just
    // being started, and has no handler yet, is waited for a moment. Times are milliseconds of any steady
    // clock. What was asked before is forgotten.
    using StandIns = std::vector<std::pair<pid_t, std::uint64_t>>; // process and number
    void begin(const wire::AskApp& ask, pid_t root, StandIns stand_ins, std::int64_t now);

    // Readable when one that was asked has ended; -1 = there is none.
    [[nodiscard]] int descriptor() const { return m_events.get(); }
    // Time until the next look, nothing when nothing is awaited.
    [[nodiscard]] std::optional<std::int64_t> wait_ms(std::int64_t now) const;

    // What ckptd is to be told now; each once.
    std::optional<wire::AppAsked> take_asked(std::int64_t now);
    std::optional<wire::AppAnswered> take_answer(std::int64_t now);

    // The job is to end here, and nothing of the tree goes on until run_on().
    [[nodiscard]] bool is_last() const { return m_is_active && m_ask.is_last; }
    // Stops everything in the tree: what it did from now on it would do once more.
    void stop_all(pid_t root);
    // What was stopped goes on, and nothing is awaited any more.
    void run_on();

private:
    void find_and_ask();
    bool stop(const std::vector<pid_t>& ancestors);
    [[nodiscard]] bool have_ended();
    [[nodiscard]] bool is_marked() const;

    wire::AskApp m_ask;
    bool m_is_active = false; // it is being asked, or was and has not been let run on
    pid_t m_root = 0;
    StandIns m_stand_ins;
    std::vector<std::uint64_t> m_covered; // of these, those below a process that was asked
    Fd m_events;                          // epoll(7)
    std::vector<Fd> m_asked;              // pidfds
    std::vector<Fd> m_stopped;            // likewise
    std::vector<KnownProcess> m_known_stopped;
    std::string m_obstacle;
    bool m_has_main = false; // among them the tree's first process, whose end is told with its status
    bool m_said_asked = false;
    bool m_answered = false;
    std::int64_t m_late_until = 0;
    std::int64_t m_end = 0;
};

} // namespace ckpt
