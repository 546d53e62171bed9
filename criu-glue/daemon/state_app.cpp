// SPDX-License-Identifier: GPL-2.0-or-later
// A program that saves itself (--checkpoint-method=app:SIG, docs/app.md). A generation is the same as with
// CRIU, of all tasks or none, with the same moments and ends; but nothing is dumped: the program is asked,
// and has saved itself when it has ended, or has made its marker. Its script starts again from the beginning.
#include <algorithm>
#include <string>
#include <utility>

#include "state_steps.hpp"

namespace ckpt {

// In an allocation there is no script that could start again.
bool is_app(const JobState& job) {
    return job.plan.method.value.kind == Method::Kind::app && !job.in_allocation;
}

namespace state {

namespace {

using Phase = TaskState::Phase;

std::string signal_text(const JobState& job) {
    const std::string name = signal_name(job.plan.method.value.signal);
    return (name.find_first_not_of("0123456789") == std::string::npos ? "signal " : "SIG") + name;
}

Error is_deaf(const JobState& job) {
    return {Code::program_deaf, "no process of the job handles " + signal_text(job) + ", so none was sent",
            "see docs/app.md", 0};
}

Error is_silent(const JobState& job, bool is_last, std::uint32_t waited_s) {
    return {Code::program_silent,
            "asked with " + signal_text(job) +
                " to save itself, the program has neither ended nor made its marker within " +
                to_string(Seconds(waited_s)),
            is_last ? "" : "without a marker nobody can tell whether it has saved itself", 0};
}

void leave_unasked(Taking& taking) {
    for (const TaskKey& key : std::exchange(taking.unasked, {}))
        taking.missing.erase(key);
}

// Nothing more is to come of this task, but perhaps of others.
void part_ended(JobState& job, const TaskKey& key, std::optional<Error> error, Effects& out) {
    if (!job.taking) return;
    Taking& taking = *job.taking;
    taking.unasked.erase(key);
    if (!is_step(job, key)) leave_unasked(taking); // without its script nobody else is asked
    const bool is_whole = taking.missing.size() == 1;
    if (is_whole && !error && !taking.error && taking.processes == 0) error = is_deaf(job);
    on(job, event::DumpEnded{key, std::move(error), 0, 0, taking.generation}, out);
}

effect::AskApp question(const JobState& job, const Taking& taking, const TaskKey& key) {
    return {key,         taking.generation, taking.reason, taking.leave_stopped, job.plan.method.value.signal,
            std::nullopt};
}

} // namespace

void open_app_dir(TaskState& task, const TaskKey& key, Effects& out) {
    task.phase = Phase::adopting;
    out.emplace_back(effect::HoldBackTerm{key}); // tells the shim that the answer takes a while
    out.emplace_back(effect::OpenAppDir{key});
}

void on(JobState& job, const event::AppDirReady& e, Effects& out) {
    TaskState& task = job.tasks[e.task];
    if (task.phase != Phase::adopting) return;
    job.saved = job.last_generation = e.generation;
    // Without its number the script would begin over what the program has saved.
    const bool goes_on = job.restart_count > 0 && job.plan.restore.value.kind != Restore::Kind::never;
    if (e.error && goes_on)
        return hold(task, e.task,
                    "it cannot be told on this node whether the program has saved itself: " +
                        one_line(*e.error),
                    out);
    if (e.error)
        out.emplace_back(effect::Say{one_line(*e.error) + "; the program has no directory of its own"});
    if (job.restart_count == 0 || job.plan.restore.value.kind == Restore::Kind::never)
        return start_fresh(task, e.task, {}, out);
    job.restored_from = e.generation;
    start_fresh(task, e.task,
                e.generation > 0 ? "started again, to go on from generation " + std::to_string(e.generation) +
                                       ", which the program has saved"
                                 : "started again; the program had saved nothing",
                out);
}

void ask_app(JobState& job, Taking& taking, Effects& out) {
    for (const TaskKey& key : taking.missing) {
        if (is_step(job, key)) {
            taking.unasked.insert(key);
            continue;
        }
        effect::AskApp ask = question(job, taking, key);
        ask.refused = why_no_cut(job);
        out.emplace_back(std::move(ask));
    }
}

void on(JobState& job, const event::AppAsked& e, Effects& out) {
    if (!job.taking || job.taking->generation != e.generation || !job.taking->missing.contains(e.task))
        return;
    Taking& taking = *job.taking;
    taking.processes += e.processes;
    if (!e.obstacle.empty() && !taking.error) taking.error = Error{Code::program_deaf, e.obstacle, "", 0};
    if (taking.error) leave_unasked(taking);
    for (const TaskKey& key : std::exchange(taking.unasked, {}))
        if (std::ranges::find(e.covered, job.tasks.at(key).stand_in) == e.covered.end())
            out.emplace_back(question(job, taking, key));
        else
            taking.missing.erase(key);
    if (e.processes == 0) part_ended(job, e.task, std::nullopt, out);
}

// The marker stands for all of the job; the script's shim looks for it even when nothing of its own tree was
// asked.
void on(JobState& job, const event::AppAnswered& e, Effects& out) {
    using How = event::AppAnswered::How;
    if (!job.taking || job.taking->generation != e.generation) return;
    if (e.how == How::marked && !is_step(job, e.task)) {
        const TaskKey any = *job.taking->missing.begin();
        if (job.taking->leave_stopped) // what it does from now on it would do twice
            for_running(job,
                        [&](const TaskKey& key, TaskState&) { out.emplace_back(effect::Stand{key, true}); });
        job.taking->unasked.clear();
        job.taking->missing = {any};
        job.taking->error.reset();
        return on(job, event::DumpEnded{any, std::nullopt, 0, 0, e.generation}, out);
    }
    if (!job.taking->missing.contains(e.task)) return;
    std::optional<Error> error;
    if (e.how == How::silent) error = is_silent(job, job.taking->leave_stopped, e.waited_s);
    part_ended(job, e.task, std::move(error), out);
}

void make_way(JobState& job, Effects& out) {
    if (!is_app(job) || !job.taking || job.taking->leave_stopped) return;
    job.taking.reset();
    answer(job, 0, Error{Code::busy, "the job is about to end", "", 0}, out);
}

bool app_holds_end(JobState& job, const event::TreeExited& e, Effects& out) {
    if (!is_app(job)) return false;
    const TaskKey& key = e.task;
    const bool is_last = (job.taking && job.taking->leave_stopped) || job.standing || job.final_taken;
    const bool waits = is_last && !is_step(job, key);
    if (job.taking && job.taking->missing.contains(key)) {
        std::optional<Error> error;
        if (job.failure ||
            failure_of(e.wait_status, e.memory)) // it has not come to its end of its own accord
            error = Error{Code::program_fault, "the program was killed, or died, while it was to save itself",
                          "", 0};
        else if (job.taking->processes == 0 && !is_step(job, key)) // it was faster
            error = Error{Code::not_found, "the job has ended", "", 0};
        part_ended(job, key, std::move(error), out);
    }
    return waits;
}

void app_task_gone(JobState& job, const TaskKey& key, Effects& out) {
    std::optional<Error> error;
    if (!is_step(job, key)) error = Error{Code::not_found, "the task has ended", "", 0};
    part_ended(job, key, std::move(error), out);
}

void release_held_end(JobState& job, Effects& out) {
    for (auto& [key, task] : job.tasks) {
        if (task.stand_in != 0 || task.phase != Phase::ended || !task.shim_present || !task.exit_status)
            continue;
        if (!job.ending && !job.completing && records_end(job, *task.exit_status, out)) return;
        out.emplace_back(effect::LetShimLeave{key});
    }
}

} // namespace state
} // namespace ckpt
