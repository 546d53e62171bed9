// SPDX-License-Identifier: GPL-2.0-or-later
#include "serve.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <span>

#include "fault/fault.hpp"
#include "os/process.hpp"
#include "os/tree.hpp"
#include "say.hpp"
#include "signals.hpp"

namespace ckpt {

namespace {

constexpr std::int64_t k_continue_again_ms = 1000;

} // namespace

Service::Service(Parts parts)
    : m_ckptd(std::move(parts.ckptd)), m_tree(std::move(parts.tree)), m_status(std::move(parts.status)),
      m_state(std::move(parts.state)), m_streams(std::move(parts.streams)), m_steps(std::move(parts.steps)),
      m_environment(std::move(parts.environment)), m_checkpoint_signal(parts.checkpoint_signal),
      m_socket(std::move(parts.socket)), m_complain_ms(parts.complain_ms), m_doubt_ms(parts.doubt_ms),
      m_canary(Canary::start()), m_judge(static_cast<bool>(m_canary)) {
    if (auto signals = signal_descriptor(every_signal())) m_signals = std::move(*signals);
    ::fcntl(m_status.get(), F_SETFL, O_NONBLOCK);
    if (m_streams.carries_errors()) say_through([this](std::string_view text) { m_streams.say(text); });
    if (parts.lost_ckptd) m_absence.begin(now_ms(), m_complain_ms);
}

void Service::run() {
    tell_stand_ins();
    for (;;)
        poll_once();
}

int Service::timeout_ms() const {
    const std::int64_t now = now_ms();
    std::int64_t wait = -1;
    const auto at_most = [&wait](std::int64_t left) { wait = wait < 0 ? left : std::min(wait, left); };
    if (const auto judge = m_judge.wait_ms(now)) at_most(*judge);
    if (const auto absence = m_absence.wait_ms(now)) at_most(*absence);
    if (m_term == Term::asked) at_most(std::max<std::int64_t>(m_term_deadline - now, 0));
    if (m_continue_at) at_most(std::max<std::int64_t>(*m_continue_at - now, 0));
    if (const auto app = m_app.wait_ms(now)) at_most(*app);
    if (m_doubts_until) at_most(std::max<std::int64_t>(*m_doubts_until - now, 0));
    return static_cast<int>(wait);
}

void Service::poll_once() {
    m_fds = {pollfd{m_ckptd.descriptor(), POLLIN, 0}, pollfd{m_canary.descriptor(), POLLIN, 0},
             pollfd{m_signals.get(), POLLIN, 0},      pollfd{m_status.get(), POLLIN, 0},
             pollfd{m_tree.root.get(), POLLIN, 0},    pollfd{m_steps.descriptor(), POLLIN, 0},
             pollfd{m_app.descriptor(), POLLIN, 0}};
    const std::size_t ours = m_fds.size();
    m_streams.add_to(m_fds);
    const std::vector<pollfd>& fds = m_fds;
    if (::poll(m_fds.data(), m_fds.size(), timeout_ms()) < 0) return; // EINTR: we were stopped and continued
    // ckptd first: its order to leave comes before the tree that it kills is seen to be gone.
    CKPT_FAULT_IN_TIME("shim.poll");
    if (fds[0].revents != 0) read_ckptd();
    look_for_ckptd();
    if (fds[1].revents != 0) read_canary();
    if (fds[2].revents != 0) read_signals();
    deliver_judged();
    if (m_term == Term::asked && now_ms() >= m_term_deadline) lose_ckptd(); // it must learn of the delivery
    if (m_continue_at && now_ms() >= *m_continue_at) continue_once_more();
    if (m_doubts_until && now_ms() >= *m_doubts_until) end_doubts();
    serve_app();
    if (fds[5].revents != 0) m_steps.serve();
    tell_steps_over();
    m_streams.serve(std::span(fds).subspan(ours));
    if (fds[3].revents != 0 || fds[4].revents != 0) look_at_tree();
}

void Service::read_signals() {
    while (const auto signal = next_sent_signal(m_signals.get()))
        m_judge.shim_saw(*signal, now_ms());
}

void Service::read_canary() {
    while (const auto signal = m_canary.next()) {
        if (*signal == Canary::k_answer)
            m_judge.answered();
        else
            m_judge.canary_saw(*signal, now_ms());
    }
    if (!m_canary) m_judge.lose_canary();
}

void Service::deliver_judged() {
    if (m_judge.wants_to_ask(now_ms())) {
        m_canary.ask();
        m_judge.asked(now_ms());
    }
    while (const auto signal = m_judge.next(now_ms()))
        deliver(*signal);
}

void Service::deliver(ScopeJudge::Judged signal) {
    if (signal.signal == SIGTERM && (m_ckptd || return_to_ckptd())) return hold_back_term(signal);
    if (signal.signal == m_checkpoint_signal) return ask_for_checkpoint(); // never the application's
    // Slurm sends SIGCONT with each SIGTERM (slurmd's req.c:_rpc_terminate_job). A tree that stands still
    // after its last checkpoint must not run on.
    if (signal.signal == SIGCONT && (m_term != Term::none || m_stands)) {
        m_cont = signal.scope;
        return;
    }
    m_term_delivered |= signal.signal == SIGTERM;
    relay(m_tree.root.get(), signal.signal, signal.scope);
}

void Service::hold_back_term(ScopeJudge::Judged signal) {
    if (m_term != Term::none) return; // one is held back already, and stands for this one too
    m_term = Term::asked;
    m_term_scope = signal.scope;
    m_term_deadline = now_ms() + wire::k_term_patience_s * std::int64_t{1000};
    steps_end();
    m_ckptd.send(wire::ShimTerm{});
    if (!m_ckptd) lose_ckptd();
}

void Service::release_term() {
    if (m_term == Term::none) return;
    m_term = Term::none;
    m_steps.clear_all();
    go_on();
    release_cont();
    m_term_delivered = true;
    relay(m_tree.root.get(), SIGTERM, m_term_scope);
}

void Service::release_cont() {
    if (m_cont) relay(m_tree.root.get(), SIGCONT, *m_cont);
    m_cont.reset();
}

void Service::ask_for_checkpoint() {
    if (!m_ckptd && !return_to_ckptd()) {
        if (!std::exchange(m_refused_checkpoint, true))
            say(one_line({Code::daemon_unreachable, "no checkpoint is taken: ckptd does not know this job",
                          "see its log on this node", 0}));
        return;
    }
    const char* job = std::getenv("SLURM_JOB_ID");
    m_ckptd.send(
        wire::CreateRequest{job != nullptr ? static_cast<std::uint32_t>(std::strtoul(job, nullptr, 10)) : 0});
    if (!m_ckptd) lose_ckptd();
}

void Service::read_ckptd() {
    auto message = m_ckptd.receive(0);
    if (!message) {
        if (message.error().code != Code::deadline) lose_ckptd();
        return;
    }
    if (const auto* order = std::get_if<wire::ShimOrder>(&*message)) obey(*order);
    if (const auto* asked = std::get_if<wire::Settle>(&*message)) settle(asked->round);
    if (const auto* ask = std::get_if<wire::AskApp>(&*message)) ask_app(*ask);
    if (const auto* cleared = std::get_if<wire::StepCleared>(&*message)) m_steps.clear(cleared->stand_in);
    const auto* answer = std::get_if<wire::Answer>(&*message);
    if (answer == nullptr) return;
    if (m_absence.lasts())
        give_up_ckptd();
    else if (answer->code != 0)
        say(answer->text);
}

void Service::obey(const wire::ShimOrder& order) {
    if (!order.line.empty()) say(order.line);
    switch (order.order) {
    case wire::Order::line:
        return;
    case wire::Order::wait:
        if (m_term == Term::asked) m_term = Term::waiting;
        return;
    case wire::Order::relay:
        release_term();
        m_term_delivered = false; // ckptd knows
        return;
    case wire::Order::stand:
        m_stands = true;
        return;
    case wire::Order::stop:
        m_stands = true;
        return m_app.stop_all(m_tree.child);
    case wire::Order::known:
        return welcome(order.line.empty());
    case wire::Order::go_on:
        return go_on();
    case wire::Order::job_ends:
        m_job_ends = true;
        return steps_end();
    case wire::Order::job_goes_on:
        m_job_ends = false;
        if (m_term != Term::none) return;
        m_steps.clear_all();
        return m_steps.go_on();
    case wire::Order::run_on:
        m_stands = false;
        app_runs_on();
        m_steps.clear_all();
        go_on();
        if (m_term == Term::none) release_cont();
        return;
    case wire::Order::leave:
        m_streams.leave();
        m_steps.leave();
        m_canary.stop();
        end_as(ending_of(TreeEnd{read_status(), true, m_term != Term::none}));
    }
}

void Service::settle(std::uint64_t round) {
    wire::Settled answer;
    answer.round = round;
    if (const Status settled = settle(answer); !settled) {
        const Error& error = settled.error();
        answer.sruns.clear();
        answer.stand_ins.clear();
        answer.at_rest = false;
        answer.code = static_cast<std::uint32_t>(error.code);
        answer.text = error.what + (error.hint.empty() ? "" : "; " + error.hint);
    }
    m_ckptd.send(answer);
    if (!m_ckptd) lose_ckptd();
}

Status Service::settle(wire::Settled& answer) {
    wire::ShimState state;
    state.environment = m_environment;
    answer.has_stand_ins = m_steps.has_stand_ins();
    if (answer.has_stand_ins) state.dir = m_steps.dir();
    answer.at_rest = true;
    CKPT_CHECK(m_streams.settle(state, answer.at_rest));
    CKPT_CHECK(m_steps.settle(state, answer));
    return m_state.write(state);
}

void Service::go_on() {
    m_streams.go_on();
    if (m_term == Term::none && !m_job_ends) return m_steps.go_on();
    steps_end(); // it was a checkpoint before the last one
}

void Service::steps_end() {
    if (!m_app.is_last()) m_steps.job_ends(); // else their ends are kept back, and what they write is not
}

void Service::ask_app(const wire::AskApp& ask) {
    m_app.begin(ask, m_tree.child, m_steps.stand_in_pids(), now_ms());
    if (ask.is_last) m_steps.keep_ends();
    serve_app();
}

void Service::serve_app() {
    if (!m_ckptd) return;
    const std::int64_t now = now_ms();
    if (const auto asked = m_app.take_asked(now)) {
        m_steps.let_end(asked->covered);
        m_ckptd.send(*asked);
    }
    if (const auto answer = m_app.take_answer(now)) m_ckptd.send(*answer);
    if (!m_ckptd) lose_ckptd();
}

void Service::app_runs_on() {
    m_app.run_on();
    m_steps.give_ends();
}

void Service::disconnect() {
    m_ckptd.close();
    m_job_ends = false;
    app_runs_on();
    m_steps.clear_all();
    go_on();
}

// It may come back: its state is on file.
void Service::lose_ckptd() {
    disconnect();
    m_absence.begin(now_ms(), m_complain_ms);
    if (m_term == Term::waiting || m_stands) {
        continue_tree();
        m_continue_at = now_ms() + k_continue_again_ms;
    }
    m_stands = false;
    if (m_term == Term::none) release_cont();
    release_term();
}

void Service::continue_once_more() {
    m_continue_at.reset();
    continue_tree();
}

void Service::tell_stand_ins() {
    if (m_ckptd && m_steps.descriptor() >= 0) m_ckptd.send(wire::StepsKnown{m_steps.stand_ins()});
}

void Service::end_doubts() {
    m_doubts_until.reset();
    if (m_term == Term::none && !m_stands && !m_job_ends) m_steps.clear_all();
}

void Service::tell_steps_over() {
    if (!m_steps.has_doubts()) m_doubts_until.reset();
    for (const std::uint64_t stand_in : m_steps.take_doubts()) {
        if (!m_doubts_until) m_doubts_until = now_ms() + m_doubt_ms;
        if (m_ckptd)
            m_ckptd.send(wire::StepDoubt{stand_in, m_steps.has_signal(stand_in)});
        else
            m_steps.clear(stand_in);
    }
    if (!m_ckptd) return;
    for (const std::uint64_t stand_in : m_steps.take_over())
        m_ckptd.send(wire::StepOver{stand_in});
    if (!m_ckptd) lose_ckptd();
}

void Service::look_for_ckptd() {
    const std::int64_t now = now_ms();
    if (m_absence.complain_now(now))
        say(one_line({Code::daemon_unreachable, "ckptd has ended; the job runs on without checkpoints",
                      "those it has made are kept", 0}));
    if (!m_ckptd && m_absence.is_time_to_look(now)) (void)return_to_ckptd();
}

bool Service::return_to_ckptd() {
    if (!m_absence.is_sought()) return false;
    m_absence.looked(now_ms());
    const std::array<int, 3> stdio = m_streams.stdio();
    auto again = Ckptd::greet(
        {"", -1, true, m_tree.child, m_term_delivered, {stdio.begin(), stdio.end()}, m_state.number()},
        m_socket);
    if (again) m_ckptd = std::move(*again);
    if (again) tell_stand_ins();
    return static_cast<bool>(m_ckptd);
}

void Service::welcome(bool as_before) {
    if (m_continue_at) continue_once_more();
    if (m_absence.end() && as_before) say("ckptd is back; the job is checkpointed again");
}

void Service::give_up_ckptd() {
    disconnect();
    m_absence.give_up();
    release_term();
}

// It may have stopped the tree for a last checkpoint.
void Service::continue_tree() const {
    if (const auto pid = pid_of(m_tree.root.get())) signal_tree(*pid, ::getuid(), SIGCONT);
}

std::optional<int> Service::read_status() {
    wire::InitReport report{};
    for (;;) {
        const ssize_t n = ::read(m_status.get(), &report, sizeof report);
        if (n < 0 && errno == EINTR) continue;
        if (n != static_cast<ssize_t>(sizeof report)) return std::nullopt;
        if (report.status == wire::InitStatus::ended) return report.value;
    }
}

} // namespace ckpt
