// SPDX-License-Identifier: GPL-2.0-or-later
// What the script's shim says of its sruns: which there are, which have ended, which have failed.
#include "state_steps.hpp"

#include <algorithm>
#include <utility>

namespace ckpt::state {

namespace {

constexpr std::size_t k_over_max = 1024; // sruns that end within the moment that news take

// What has ended before it had begun, a SIGTERM may have ended.
bool has_begun(const TaskState& task) {
    const bool is_told =
        task.phase == TaskState::Phase::registered && task.shim_present && !task.waits_for_cut;
    return task.phase == TaskState::Phase::running || task.exit_status || is_told || task.may_run ||
           task.without_us;
}

bool has_begun(const JobState& job, std::uint64_t stand_in) {
    return std::ranges::any_of(
        job.tasks, [&](const auto& one) { return one.second.stand_in == stand_in && has_begun(one.second); });
}

bool is_expected(const JobState& job, std::uint64_t stand_in) {
    return std::ranges::any_of(job.expected, [&](const auto& one) { return one.first.stand_in == stand_in; });
}

// The script must not take for its step's failure what is one of the restore: the same checkpoint may do
// elsewhere, or when the job is released.
void hold_for_step(JobState& job, std::uint64_t stand_in, Effects& out) {
    const std::string reason =
        "a step of the checkpoint cannot be started here: its srun has failed, and says above why";
    if (job.in_allocation) {
        out.emplace_back(effect::Say{reason});
        out.emplace_back(effect::ClearStep{stand_in});
        return;
    }
    if (std::exchange(job.is_held, true)) return;
    out.emplace_back(effect::Say{reason});
    out.emplace_back(effect::HoldJob{reason});
}

// One question at a time, however much the user's shim says.
void ask_next_doubt(JobState& job, Effects& out) {
    job.asks_doubt = !job.doubts.empty();
    if (!job.asks_doubt) return;
    const auto [stand_in, has_signal] = *job.doubts.begin();
    job.doubts.erase(job.doubts.begin());
    out.emplace_back(effect::AskDoubt{stand_in, has_signal});
}

} // namespace

// During a cut it may have begun before it.
void on(JobState& job, const event::StepUnfit& e, Effects& /*out*/) {
    if (job.over.contains(e.stand_in)) return;
    job.unfit.insert(e.stand_in);
    if (job.taking && !job.taking->error) job.taking->error = why_no_cut(job);
}

void on(JobState& job, const event::StepOver& e, Effects& out) {
    job.unfit.erase(e.stand_in);
    if (job.over.size() >= k_over_max) job.over.clear();
    job.over.insert(e.stand_in);
    std::erase_if(job.expected, [&](const auto& one) { return one.first.stand_in == e.stand_in; });
    bool had_interval = false;
    for (auto& [key, task] : job.tasks) {
        if (task.stand_in != e.stand_in) continue;
        task.over = true;
        had_interval = had_interval || has_own_interval(job, task);
    }
    out.emplace_back(effect::ForgetStep{e.stand_in});
    if (had_interval) out.emplace_back(effect::ArmInterval{true});
}

// What it does not name has ended, and is not awaited any more.
void on(JobState& job, const event::StepsKnown& e, Effects& out) {
    std::set<std::uint64_t> gone = job.unfit;
    for (const auto& [task, ended] : job.expected)
        gone.insert(task.stand_in);
    for (const auto& [key, task] : job.tasks)
        if (task.stand_in != 0) gone.insert(task.stand_in);
    for (const std::uint64_t stand_in : gone)
        if (!e.stand_ins.contains(stand_in)) on(job, event::StepOver{stand_in}, out);
    // When the last that were awaited are gone, advance() says so.
    if (job.expected.empty() && !job.taking) out.emplace_back(effect::Proceed{});
}

// Whose tasks had begun has failed by itself. slurmctld refuses steps of a job that it has requeued. A script
// that has its SIGTERM and runs on sees whatever happens to it until its end.
void on(JobState& job, const event::StepDoubted& e, Effects& out) {
    if (has_begun(job, e.stand_in) || is_settled(job)) {
        out.emplace_back(effect::ClearStep{e.stand_in});
    } else if (!std::exchange(job.asks_doubt, true)) {
        out.emplace_back(effect::AskDoubt{e.stand_in, e.has_signal});
    } else if (job.doubts.size() < k_over_max) { // the shim has patience, and an end of it
        job.doubts[e.stand_in] = e.has_signal;
    }
}

void on(JobState& job, const event::DoubtKnown& e, Effects& out) {
    const bool runs_on = e.cause == Cause::running || e.cause == Cause::unknown;
    if (!runs_on && !is_settled(job)) job.doubts.clear(); // its SIGTERM is on the way
    ask_next_doubt(job, out);
    if (!runs_on && !is_settled(job)) return;
    if (runs_on && is_expected(job, e.stand_in) && !has_begun(job, e.stand_in) && !e.has_signal)
        hold_for_step(job, e.stand_in, out);
    else
        out.emplace_back(effect::ClearStep{e.stand_in});
}

} // namespace ckpt::state
