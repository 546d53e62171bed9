// SPDX-License-Identifier: GPL-2.0-or-later
// One generation is one consistent cut: every tree stands still before the first is looked at, what is on its
// way between them has come to rest, and none runs on before the last one's images are complete.
#include "state_steps.hpp"

#include <algorithm>
#include <csignal>

namespace ckpt::state {

namespace {

using Stage = Taking::Stage;

bool is_under_way(const JobState& job, std::uint32_t generation) {
    return job.taking && job.taking->generation == generation;
}

void open_gate(Taking& taking, Effects& out) {
    for (const TaskKey& key : taking.at_gate)
        out.emplace_back(effect::DumpGoOn{key, taking.error});
    taking.at_gate.clear();
}

void step_forward(Taking& taking, Effects& out) {
    if (taking.error) return open_gate(taking, out);
    const bool all = taking.at_gate == taking.missing && !taking.missing.empty();
    if (!all || !taking.leaving.empty()) return;
    if (taking.stage == Stage::stopping) {
        taking.stage = Stage::settling;
        out.emplace_back(effect::Settle{taking.generation});
    } else if (taking.stage == Stage::dumping) {
        taking.stage = Stage::finishing;
        open_gate(taking, out);
    }
}

} // namespace

std::optional<Error> why_no_cut(const JobState& job) {
    const auto is_without_us = [](const auto& task) { return task.second.without_us && !task.second.over; };
    if (!job.unfit.empty() || std::ranges::any_of(job.tasks, is_without_us))
        return Error{Code::dump_refused,
                     "a step of the job runs without checkpoints: it is heterogeneous, has more tasks than "
                     "can be saved at once, or ckptd could not be asked when it began",
                     "the job is checkpointed when that step has ended", 0};
    const auto spans_nodes = [](const auto& task) { return task.second.step.nodes > 1 && !task.second.over; };
    if (job.joins_nodes || std::ranges::none_of(job.tasks, spans_nodes)) return std::nullopt;
    return Error{Code::dump_refused, "a step of the job runs on several nodes at once",
                 "it is checkpointed when no such step runs; the site's policy has no network.port", 0};
}

std::vector<StepExit> exited_tasks(const JobState& job) {
    std::vector<StepExit> exited;
    for (const auto& [key, task] : job.tasks)
        if (task.stand_in != 0 && task.exit_status && !task.over)
            exited.push_back({{task.stand_in, key.task_id}, *task.exit_status});
    return exited;
}

void on(JobState& job, const event::DumpStopped& e, Effects& out) {
    if (!is_under_way(job, e.generation)) {
        out.emplace_back(effect::DumpGoOn{e.task, Error{Code::busy, "the checkpoint was given up", "", 0}});
        return;
    }
    job.taking->at_gate.insert(e.task);
    if (e.error && !job.taking->error) job.taking->error = e.error;
    step_forward(*job.taking, out);
}

void on(JobState& job, const event::SettleEnded& e, Effects& out) {
    if (!is_under_way(job, e.generation) || job.taking->stage != Stage::settling) return;
    Taking& taking = *job.taking;
    if (e.error && !taking.error) taking.error = e.error;
    taking.stage = Stage::dumping;
    taking.exited = exited_tasks(job);
    open_gate(taking, out);
}

void on(JobState& job, const event::DumpTaken& e, Effects& out) {
    if (!is_under_way(job, e.generation)) {
        out.emplace_back(
            effect::DumpGoOn{e.task, std::nullopt}); // its images are of no use, and its tree waits
        return;
    }
    job.taking->at_gate.insert(e.task);
    step_forward(*job.taking, out);
}

void dump_of_cut_ended(Taking& taking, const event::DumpEnded& e, Effects& out) {
    taking.at_gate.erase(e.task);
    if (e.error && !taking.error) taking.error = e.error;
    step_forward(taking, out);
}

// Its end is part of the cut, and how it ended is on its way to us.
void exited_during_cut(JobState& job, const TaskKey& key, Effects& out) {
    Taking& taking = *job.taking;
    taking.at_gate.erase(key);
    if (const auto found = job.tasks.find(key); found != job.tasks.end() && !found->second.exit_status)
        taking.leaving.insert(key);
    else
        taking.leaving.erase(key);
    step_forward(taking, out);
}

} // namespace ckpt::state
