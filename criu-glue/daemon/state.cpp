// SPDX-License-Identifier: GPL-2.0-or-later
#include "state.hpp"

#include <algorithm>
#include <utility>

#include "state_steps.hpp"

namespace ckpt {

const char* to_string(Reason reason) {
    switch (reason) {
    case Reason::interval:
        return "interval";
    case Reason::on_demand:
        return "on demand";
    case Reason::time_limit:
        return "time limit";
    case Reason::forced_end:
        return "forced end";
    case Reason::requeue:
        return "requeue on demand";
    case Reason::vacate:
        return "vacate";
    }
    return "?";
}

Effects advance(JobState& job, const Event& event) {
    Effects out;
    const bool awaited = !job.expected.empty();
    std::visit([&](const auto& e) { state::on(job, e, out); }, event);
    if (awaited && job.expected.empty())
        out.emplace_back(effect::Proceed{}); // the script's shim starts others now
    state::start_what_waits_for_cut(job, out);
    state::take_what_is_due(job, out);
    state::await_starts(job, out);
    state::release_epilog_if_quiet(job, out);
    return out;
}

bool is_quiet(const JobState& job) {
    return !job.taking && job.committing.empty() && !job.completing && !job.requeue_runs && !job.leaves &&
           !job.constraint_runs;
}

bool is_to_be_held(const JobState& job) {
    return job.is_held || std::ranges::any_of(job.tasks, [](const auto& t) {
               return t.second.phase == TaskState::Phase::held;
           });
}

bool is_starting(const JobState& job) {
    return std::ranges::any_of(job.tasks, [](const auto& t) {
        return t.second.phase == TaskState::Phase::adopting || t.second.phase == TaskState::Phase::restoring;
    });
}

bool can_take_generation(const JobState& job) {
    const bool ending = job.ending && !(state::is_settled(job) && job.cause == Cause::unknown);
    return !job.taking && !job.orphaned && !job.switched_off && !ending && !job.completing && !job.standing &&
           std::ranges::any_of(job.tasks,
                               [](const auto& t) { return t.second.phase == TaskState::Phase::running; });
}

Interval interval_of(const JobState& job) {
    std::optional<Seconds> shortest;
    for (const auto& [key, task] : job.tasks)
        if (!task.over && state::has_own_interval(job, task))
            shortest = std::min(shortest.value_or(Seconds::max()), Seconds(task.step.interval));
    return shortest ? Interval{*shortest} : job.plan.interval.value;
}

bool is_coming(const JobState& job) {
    using Phase = TaskState::Phase;
    if (!job.expected.empty()) return true;
    std::map<std::uint64_t, std::uint32_t> here; // tasks of a step
    for (const auto& [key, task] : job.tasks)
        ++here[task.stand_in];
    return std::ranges::any_of(job.tasks, [&](const auto& one) {
        const TaskState& task = one.second;
        if (task.phase == Phase::held || task.waits_for_cut || task.is_late || task.without_us) return false;
        const bool comes_here = job.joins_nodes || task.step.nodes == 1; // the rest of the step too
        const bool is_partly_there = task.stand_in != 0 && comes_here && !job.unfit.contains(task.stand_in) &&
                                     here[task.stand_in] < task.step.tasks;
        // What had never begun begins anew with the rest of it.
        if (task.phase == Phase::ended) return is_partly_there && task.exit_status && !task.over;
        return task.phase != Phase::running || is_partly_there;
    });
}

bool is_launching(const JobState& job) {
    return std::ranges::any_of(job.tasks, [](const auto& t) {
        return t.second.phase == TaskState::Phase::registered && t.second.shim_present;
    });
}

bool has_last_generation_under_way(const JobState& job) {
    const auto last = [](const auto& commit) { return is_last(commit.second.reason); };
    return (job.taking && job.taking->leave_stopped) || job.requeue_runs ||
           std::ranges::any_of(job.committing, last);
}

bool is_last(Reason reason) {
    return reason == Reason::forced_end || leaves_by_us(reason);
}

bool leaves_by_us(Reason reason) {
    return reason == Reason::time_limit || reason == Reason::requeue || reason == Reason::vacate;
}

bool is_asked_for(Reason reason) {
    return reason == Reason::on_demand || reason == Reason::requeue || reason == Reason::vacate;
}

namespace state {

// Slurm takes a constraint of a pending job only, and starts it when its last epilog has ended. What it went
// on from without a newer one was constrained then.
bool is_to_be_constrained(const JobState& job) {
    const bool goes_on = job.requeues > 0 || (job.cause && moves_on(job, *job.cause));
    return job.constrains && !job.in_allocation && goes_on && job.saved != job.restored_from;
}

void release_epilog_if_quiet(JobState& job, Effects& out) {
    if (!job.epilog_waits || !is_quiet(job)) return;
    if (is_to_be_constrained(job) && !std::exchange(job.constraint_set, true)) {
        job.constraint_runs = true;
        out.emplace_back(effect::Constrain{});
        return;
    }
    job.epilog_waits = false;
    out.emplace_back(effect::ReleaseEpilog{});
}

void complain(JobState& job, const Error& error, const std::string& consequence, Effects& out, bool at_will) {
    job.last_error = one_line(error);
    // The same trouble comes back in other words: another pid, another first error of CRIU. The daemon's log
    // has each, but for what is asked for again and again.
    if (job.last_complaint == error.code) return;
    job.last_complaint = error.code;
    out.emplace_back(effect::Say{one_line(error) + "; " + consequence, at_will});
}

} // namespace state
} // namespace ckpt
