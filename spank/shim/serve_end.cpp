// SPDX-License-Identifier: GPL-2.0-or-later
// The end of the tree: ckptd has it on record and slurmstepd has its output before the shim ends.
#include <poll.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <span>

#include "os/process.hpp"
#include "say.hpp"
#include "serve.hpp"
#include "signals.hpp"

namespace ckpt {

namespace {

// How long the end of the application waits for ckptd to make the completion record durable: a record that
// came too late would let a later requeue of the finished job restore an old generation over its results.
constexpr int k_record_ms = 2000;
constexpr int k_look_again_ms = 50; // for a ckptd that is being restarted meanwhile

// How long a tree that ended after its final checkpoint waits for that to be saved, so that the job's output
// says so. Slurm's SIGKILL after KillWait usually comes first; the commit goes on without us.
constexpr int k_commit_ms = 600'000;

// ckpt-init ends right after its report, unless somebody has stopped it.
constexpr int k_reap_ms = 1000;

constexpr int k_killed = SIGKILL; // a wait status of a tree that nobody reported about

} // namespace

void Service::look_at_tree() {
    if (const auto status = read_status()) finish(status);
    if (!pidfd_alive(m_tree.root.get())) finish(read_status()); // once more: it reports just before it ends
}

void Service::finish(std::optional<int> wait_status) {
    m_streams.tree_ended();
    report_end(wait_status.value_or(k_killed));
    pass_on_everything(wait_status.has_value());
    m_canary.stop();
    take_usage();
    end_as(ending_of(TreeEnd{wait_status, false, m_term != Term::none}));
}

// slurmstepd accounts what wait3(2) says of us (mgr.c:_wait_for_any_task): that of children we have waited
// for is in it.
void Service::take_usage() const {
    if (m_tree.child == 0) return; // a restored tree is not our child
    pollfd ended{m_tree.root.get(), POLLIN, 0};
    (void)::poll(&ended, 1, k_reap_ms);
    (void)::waitpid(m_tree.child, nullptr, WNOHANG);
}

void Service::wait_for_ckptd(std::int64_t end) {
    while (!m_ckptd && m_absence.is_sought() && !return_to_ckptd() && now_ms() < end)
        pass_on(k_look_again_ms);
}

// Without a record of the job's end a requeue would restore it over its results: said again to the ckptd
// after the one that ended before it had it.
void Service::report_end(int wait_status) {
    const bool is_last = m_term == Term::waiting || m_app.is_last();
    const std::int64_t end = now_ms() + (is_last ? k_commit_ms : k_record_ms);
    const std::int64_t found_by = now_ms() + k_record_ms;
    for (;;) {
        wait_for_ckptd(found_by);
        if (!m_ckptd) return;
        m_ckptd.send(wire::TreeExited{wait_status});
        if (m_ckptd && await_leave(end)) return;
        if (now_ms() >= found_by) return;
        disconnect();
        m_absence.begin(now_ms(), m_complain_ms);
    }
}

bool Service::await_leave(std::int64_t end) {
    while (m_ckptd && now_ms() < end) {
        if (!pass_on(static_cast<int>(std::max<std::int64_t>(end - now_ms(), 0)))) continue;
        const Word word = hear_ckptd();
        if (word == Word::gone) return false;
        m_left |= word == Word::leave;
        if (m_left) return true;
    }
    return static_cast<bool>(m_ckptd);
}

bool Service::pass_on(int limit_ms) {
    m_fds = {pollfd{m_ckptd.descriptor(), POLLIN, 0}};
    m_streams.add_to(m_fds);
    if (::poll(m_fds.data(), m_fds.size(), limit_ms) <= 0) return false;
    m_streams.serve(std::span<const pollfd>(m_fds).subspan(1));
    return m_fds.front().revents != 0;
}

Service::Word Service::hear_ckptd() {
    const auto message = m_ckptd.receive(0);
    if (!message) return message.error().code == Code::deadline ? Word::other : Word::gone;
    if (const auto* asked = std::get_if<wire::Settle>(&*message)) settle(asked->round);
    if (std::holds_alternative<wire::Answer>(*message)) m_absence.give_up(); // it does not know us
    const auto* order = std::get_if<wire::ShimOrder>(&*message);
    if (order == nullptr) return Word::other;
    if (!order->line.empty()) say(order->line);
    if (order->order == wire::Order::go_on) m_streams.go_on();
    return order->order == wire::Order::leave ? Word::leave : Word::other;
}

// Slurm's SIGKILL is the only limit: the task's bytes are the user's, whoever is slow to take them.
void Service::pass_on_everything(bool has_reported) {
    for (;;) {
        // Killed after its last dump: what was held back is saved with that.
        if (m_left && !has_reported && m_streams.are_paused()) return m_streams.leave();
        if (m_left || !m_ckptd) m_streams.go_on();
        if (m_streams.are_done()) return;
        if (!pass_on(-1)) continue;
        const Word word = hear_ckptd();
        m_left |= word == Word::leave;
        if (word == Word::gone) disconnect();
    }
}

} // namespace ckpt
