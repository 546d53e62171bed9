// SPDX-License-Identifier: GPL-2.0-or-later
#include "app_ask.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "app_targets.hpp"
#include "os/files.hpp"
#include "os/pending.hpp"
#include "os/process.hpp"
#include "os/tree.hpp"

namespace ckpt {

namespace {

constexpr std::int64_t k_look_ms = 50;   // for the marker: whatever the program does behind it, it does twice
constexpr std::int64_t k_late_ms = 2000; // until a program that was just started has its handler
constexpr int k_stop_tries = 100;        // a millisecond each
constexpr int k_relay_tries = 2000;      // likewise
constexpr int k_stop_rounds = 5;         // while shells start others

constexpr std::array k_shells{"bash", "sh", "dash", "ksh", "zsh"};

std::string base_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

AppProcess::Kind kind_of(const std::string& exe, const std::string& name, std::uint64_t caught) {
    using Kind = AppProcess::Kind;
    // Packages have bin/srun lead to where it survives an upgrade (packaging/programs-of-jobs).
    if (exe.starts_with(CKPT_LIBEXEC_DIR "/") && base_name(exe) == "srun") return Kind::stand_in;
    if (name == "srun" || base_name(exe) == "srun") return Kind::srun;
    const bool is_shell =
        std::ranges::any_of(k_shells, [&](const char* shell) { return base_name(exe) == shell; });
    return is_shell && is_caught_as_by_exit_trap(caught) ? Kind::shell_with_exit_trap : Kind::plain;
}

std::vector<AppProcess> look_at_tree(pid_t root, int signal) {
    std::vector<AppProcess> all;
    const auto pids = tree_pids(root);
    if (!pids) return all;
    for (const pid_t pid : *pids) {
        const auto info = process_info(pid);
        const auto sets = signal_sets(pid);
        const auto proc = open_proc(pid);
        if (pid == root || !info || !sets || !proc || info->state == 'Z') continue;
        const std::string exe = link_target(proc->get(), "exe");
        all.push_back({pid, info->ppid, kind_of(exe, info->name, sets->caught), sets->has_caught(signal)});
    }
    return all;
}

// A shell that runs may start another program before it stands still.
void await_stop(pid_t pid) {
    for (int tries = 0; tries < k_stop_tries; ++tries) {
        const auto info = process_info(pid);
        if (!info || info->state == 'T' || info->state == 'Z') return;
        (void)::poll(nullptr, 0, 1);
    }
}

// A SIGCONT that Slurm sends with its SIGTERM is passed on by ckpt-init, and would set what is stopped here
// going again, should it be late.
void await_relay(pid_t init) {
    for (int tries = 0; tries < k_relay_tries && !has_handled_its_signals(init); ++tries)
        (void)::poll(nullptr, 0, 1);
}

bool is_among(const std::vector<KnownProcess>& known, const KnownProcess& one) {
    return std::ranges::any_of(known, [&](const KnownProcess& other) {
        return other.pid == one.pid && other.start_time == one.start_time;
    });
}

} // namespace

void AppAsk::begin(const wire::AskApp& ask, pid_t root, StandIns stand_ins, std::int64_t now) {
    run_on();
    m_ask = ask;
    m_is_active = true;
    m_root = root;
    m_said_asked = m_answered = false;
    m_late_until = stand_ins.empty() ? now + k_late_ms : now;
    m_stand_ins = std::move(stand_ins);
    m_end = now + ask.limit_ms;
    if (ask.is_last) await_relay(root);
    // One of an earlier time would be taken for the program's word.
    if (!ask.marker.empty() && ::unlink(ask.marker.c_str()) != 0 && errno != ENOENT)
        m_obstacle = "the marker of an earlier time cannot be removed: " + ask.marker;
}

std::optional<std::int64_t> AppAsk::wait_ms(std::int64_t now) const {
    if (!m_is_active || m_answered) return std::nullopt;
    const bool looks = !m_said_asked || !m_ask.marker.empty();
    return std::max<std::int64_t>(std::min(m_end - now, looks ? k_look_ms : m_end - now), 0);
}

// Those that wait for it: a shell must not go on to its next line when its program has saved itself and
// ended. True when all that there are stand still, and had before.
bool AppAsk::stop(const std::vector<pid_t>& ancestors) {
    bool all = true;
    for (const pid_t pid : ancestors) {
        const auto process = know_process(pid);
        if (!process || is_among(m_known_stopped, *process)) continue;
        auto pidfd = open_pidfd(*process);
        if (!pidfd || !signal_pidfd(pidfd->get(), SIGSTOP)) continue;
        await_stop(pid);
        m_known_stopped.push_back(*process);
        m_stopped.push_back(std::move(*pidfd));
        all = false;
    }
    return all;
}

void AppAsk::stop_all(pid_t root) {
    for (int round = 0; round < k_stop_rounds; ++round) { // one of them may have started another
        std::vector<pid_t> all = tree_pids(root).value_or(std::vector<pid_t>{});
        std::erase(all, root);
        if (stop(all)) return;
    }
}

void AppAsk::find_and_ask() {
    AppTargets targets;
    std::vector<AppProcess> tree;
    for (int round = 0; round < k_stop_rounds; ++round) {
        tree = look_at_tree(m_root, m_ask.signal);
        targets = app_targets(m_root, tree);
        // One of them may have started another program before it stood still.
        if (!m_ask.is_last || stop(targets.ancestors)) break;
    }
    const auto is_srun = [&](pid_t pid) {
        return std::ranges::any_of(tree, [&](const AppProcess& process) {
            return process.pid == pid && process.kind == AppProcess::Kind::srun;
        });
    };
    if (!srun_passes_on(m_ask.signal) && std::ranges::any_of(targets.asked, is_srun)) {
        m_obstacle = "an srun that is called by its path, or with --pty, does not pass this signal on to "
                     "the program; ask with USR1 or USR2, or call srun by its name";
        return;
    }
    m_covered.clear();
    for (const auto& [pid, stand_in] : m_stand_ins)
        if (!targets.asked.empty() && std::ranges::find(targets.stand_ins, pid) == targets.stand_ins.end())
            m_covered.push_back(stand_in);
    m_has_main = !tree.empty() && std::ranges::find(targets.asked, tree.front().pid) != targets.asked.end();
    m_events = Fd(::epoll_create1(EPOLL_CLOEXEC));
    for (const pid_t pid : targets.asked) {
        auto pidfd = open_pidfd(pid);
        if (!pidfd || !signal_pidfd(pidfd->get(), m_ask.signal)) continue;
        epoll_event event{EPOLLIN, {}};
        ::epoll_ctl(m_events.get(), EPOLL_CTL_ADD, pidfd->get(), &event);
        m_asked.push_back(std::move(*pidfd));
    }
}

std::optional<wire::AppAsked> AppAsk::take_asked(std::int64_t now) {
    if (!m_is_active || m_said_asked) return std::nullopt;
    if (m_obstacle.empty()) find_and_ask();
    if (m_asked.empty() && m_obstacle.empty() && now < m_late_until) return std::nullopt;
    m_said_asked = true;
    return wire::AppAsked{m_ask.generation, static_cast<std::uint32_t>(m_asked.size()), m_obstacle,
                          m_covered};
}

bool AppAsk::have_ended() {
    std::erase_if(m_asked, [&](const Fd& pidfd) {
        if (pidfd_alive(pidfd.get())) return false;
        ::epoll_ctl(m_events.get(), EPOLL_CTL_DEL, pidfd.get(), nullptr);
        return true;
    });
    return m_asked.empty();
}

bool AppAsk::is_marked() const {
    struct stat st{};
    return !m_ask.marker.empty() && m_obstacle.empty() && ::lstat(m_ask.marker.c_str(), &st) == 0;
}

std::optional<wire::AppAnswered> AppAsk::take_answer(std::int64_t now) {
    if (!m_is_active || !m_said_asked || m_answered) return std::nullopt;
    const bool has_asked = static_cast<bool>(m_events) && !m_asked.empty();
    std::optional<wire::AppOutcome> outcome;
    if (is_marked())
        outcome = wire::AppOutcome::marked;
    else if (has_asked && have_ended())
        outcome = wire::AppOutcome::ended;
    else if (now >= m_end && has_asked)
        outcome = wire::AppOutcome::silent;
    m_answered = outcome.has_value() || now >= m_end;
    if (m_answered && !is_last()) m_events.reset();
    const bool is_told = outcome == wire::AppOutcome::ended && m_has_main; // with wire::TreeExited
    if (!outcome || is_told) return std::nullopt;
    return wire::AppAnswered{m_ask.generation, *outcome};
}

void AppAsk::run_on() {
    for (const Fd& pidfd : m_stopped)
        (void)signal_pidfd(pidfd.get(), SIGCONT);
    m_stopped.clear();
    m_known_stopped.clear();
    m_asked.clear();
    m_events.reset();
    m_obstacle.clear();
    m_covered.clear();
    m_is_active = false;
}

} // namespace ckpt
