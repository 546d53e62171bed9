// SPDX-License-Identifier: GPL-2.0-or-later
#include "app_targets.hpp"

#include <algorithm>
#include <csignal>
#include <map>
#include <ranges>
#include <set>

namespace ckpt {

namespace {

class Choice {
public:
    explicit Choice(std::span<const AppProcess> processes) {
        for (const AppProcess& process : processes)
            m_children[process.parent].push_back(&process);
    }

    // Without recursion: trees are as deep as their user likes.
    AppTargets run(pid_t root) {
        collect(root);
        AppTargets targets;
        std::set<pid_t> with_asked; // parents of those that are asked, here or in a step, and theirs
        for (const AppProcess* each : std::views::reverse(m_order)) {
            const AppProcess& process = *each;
            const bool below = with_asked.contains(process.pid) && m_open.contains(process.pid);
            const bool itself = is_asked(process) && !(m_open.contains(process.pid) && below);
            const bool stands_in = process.kind == Kind::stand_in;
            if (itself) targets.asked.push_back(process.pid);
            if (stands_in) targets.stand_ins.push_back(process.pid);
            if (below && !itself) targets.ancestors.push_back(process.pid);
            if (itself || below || stands_in) with_asked.insert(process.parent);
        }
        std::ranges::reverse(targets.asked);
        std::ranges::reverse(targets.stand_ins);
        std::ranges::reverse(targets.ancestors);
        return targets;
    }

private:
    using Kind = AppProcess::Kind;

    static bool is_asked(const AppProcess& process) {
        return process.kind != Kind::stand_in && (process.handles || process.kind == Kind::srun);
    }
    // What is below it is looked at.
    static bool is_open(const AppProcess& process) {
        const bool may_be_exit_trap = process.kind == Kind::shell_with_exit_trap;
        return may_be_exit_trap || (process.kind == Kind::plain && !process.handles);
    }

    // Parents before their children.
    void collect(pid_t root) {
        std::vector<pid_t> next{root};
        for (std::size_t i = 0; i < next.size(); ++i) {
            const auto children = m_children.find(next[i]);
            if (children == m_children.end()) continue;
            for (const AppProcess* child : children->second) {
                m_order.push_back(child);
                if (!is_open(*child) || !m_open.insert(child->pid).second) continue;
                next.push_back(child->pid);
            }
        }
    }

    std::map<pid_t, std::vector<const AppProcess*>> m_children;
    std::vector<const AppProcess*> m_order;
    std::set<pid_t> m_open;
};

} // namespace

AppTargets app_targets(pid_t root, std::span<const AppProcess> processes) {
    return Choice(processes).run(root);
}

bool srun_passes_on(int signal) {
    return signal == SIGUSR1 || signal == SIGUSR2;
}

bool is_caught_as_by_exit_trap(std::uint64_t caught) {
    for (const int signal : {SIGHUP, SIGILL, SIGABRT, SIGFPE, SIGBUS, SIGSEGV, SIGSYS, SIGALRM, SIGTERM,
                             SIGXCPU, SIGVTALRM, SIGUSR1, SIGUSR2})
        if ((caught >> (signal - 1) & 1U) == 0) return false;
    return true;
}

} // namespace ckpt
