// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absence.hpp"
#include "app_ask.hpp"
#include "canary.hpp"
#include "ckptd.hpp"
#include "ending.hpp"
#include "launch.hpp"
#include "scope.hpp"
#include "state_file.hpp"
#include "steps.hpp"
#include "streams.hpp"

namespace ckpt {

// The shim while its tree runs: passes signals on, asks ckptd about SIGTERM, prints what ckptd has to say,
// and ends as the application ended. Needs ckptd for none of this: without it a SIGTERM is passed on like any
// other signal.
class Service {
public:
    struct Parts {
        Ckptd ckptd; // may be unconnected: then there is none, and none is looked for unless it was lost
        Tree tree;
        Fd status; // read end of the status pipe
        int checkpoint_signal = 0;
        bool lost_ckptd = false;                  // it went away when the tree had been started
        std::string socket = wire::k_socket_path; // where a ckptd that has gone comes back
        std::int64_t complain_ms = 10'000;        // a ckptd that is only restarted is no news
        std::int64_t doubt_ms = 15'000;           // more than slurmctld's word takes that ckptd asks for
        // NOLINTBEGIN(readability-redundant-member-init): GCC warns of aggregates without them
        StateFile state{};
        Streams streams{};
        Steps steps{};
        std::vector<std::string> environment{}; // ShimState::environment
        // NOLINTEND(readability-redundant-member-init)
    };
    explicit Service(Parts parts);
    [[noreturn]] void run();

private:
    enum class Term : std::uint8_t { none, asked, waiting };

    void poll_once();
    [[nodiscard]] int timeout_ms() const;
    void read_signals();
    void read_canary();
    void read_ckptd();
    void obey(const wire::ShimOrder& order);
    void settle(std::uint64_t round);
    Status settle(wire::Settled& answer);
    void go_on();
    void ask_app(const wire::AskApp& ask);
    void serve_app();
    void app_runs_on();
    // Slurm is about to end the job's steps; what srun says of that is not for the tree.
    void steps_end();
    // Nobody is there who could say that what Settle has stopped goes on.
    void disconnect();
    void lose_ckptd();
    void look_for_ckptd();
    void tell_stand_ins();
    void tell_steps_over();
    // A ckptd that hangs keeps no step's end from its script.
    void end_doubts();
    bool return_to_ckptd();
    void welcome(bool as_before);
    void give_up_ckptd();
    void wait_for_ckptd(std::int64_t end);
    void continue_tree() const;
    void continue_once_more();
    void deliver_judged();
    void deliver(ScopeJudge::Judged signal);
    void hold_back_term(ScopeJudge::Judged signal);
    void release_term();
    void release_cont();
    void ask_for_checkpoint();
    void look_at_tree();
    // The application's status, if it is in the pipe.
    std::optional<int> read_status();
    [[noreturn]] void finish(std::optional<int> wait_status);
    void take_usage() const;
    void report_end(int wait_status);
    // ckptd has the end on record, or will not have it.
    bool await_leave(std::int64_t end);
    // The tree has ended. Passes on what it has written; true when ckptd has something to say.
    bool pass_on(int limit_ms);
    void pass_on_everything(bool has_reported);
    enum class Word : std::uint8_t { gone, other, leave };
    // ckptd's next message to a shim whose tree has ended.
    Word hear_ckptd();

    Ckptd m_ckptd;
    Tree m_tree;
    Fd m_status;
    StateFile m_state;
    Streams m_streams;
    Steps m_steps;
    AppAsk m_app;
    std::vector<std::string> m_environment;
    std::vector<pollfd> m_fds; // of one poll(2)
    int m_checkpoint_signal;
    std::string m_socket;
    std::int64_t m_complain_ms;
    std::int64_t m_doubt_ms;
    std::optional<std::int64_t> m_doubts_until; // there are some that ckptd has been asked about
    Absence m_absence;
    std::optional<std::int64_t> m_continue_at; // once more: criu may have outlived its ckptd for a moment
    bool m_term_delivered = false;             // to the application, without ckptd's knowledge
    bool m_refused_checkpoint = false;         // and has said so
    Canary m_canary;
    ScopeJudge m_judge;
    Fd m_signals;
    Term m_term = Term::none;
    wire::SignalScope m_term_scope = wire::SignalScope::process;
    bool m_job_ends = false;                 // Order::job_ends
    std::optional<wire::SignalScope> m_cont; // a SIGCONT that came while a SIGTERM is held back
    bool m_left = false;                     // the tree has ended, and ckptd has that on record
    bool m_stands = false;                   // the tree stands still, or is about to, before the time limit
    std::int64_t m_term_deadline = 0;
};

} // namespace ckpt
