// SPDX-License-Identifier: GPL-2.0-or-later
// A job of salloc has no script. The steps that stand for one (wire/allocation.hpp) come one after the other;
// each is a job of its own here and in the store, with the allocation's number.
#include <algorithm>

#include "log.hpp"
#include "os/files.hpp"
#include "os/process.hpp"
#include "os/random.hpp"
#include "server.hpp"
#include "wire/allocation.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::milliseconds k_look_again{100};
constexpr const char* k_one_at_a_time =
    "another step of this allocation is checkpointed, or on its way to the store; this one runs without "
    "checkpoints";
constexpr const char* k_not_restored =
    "a checkpoint can be gone on from when the step of this allocation that is checkpointed has ended";

bool is_restore(const wire::OptionText& option) {
    return option.name == option_row(Option::restore).name && wire::names_a_job(option.value);
}

bool has_ended(const Fd& process) {
    return !pidfd_alive(process.get());
}

// As srun's stand-in makes it. A user may say it of any step.
bool is_one_task(const wire::StepTaskRegister& task) {
    return task.step_tasks == 1 && task.task_id == 0;
}

} // namespace

// The script has ended; its steps may be about to.
bool Server::is_free_for_script(const Job& job) const {
    const auto is_script = [](const auto& task) {
        return task.second.stand_in == 0 && pidfd_alive(task.second.shim_pidfd.get());
    };
    return std::ranges::none_of(job.tasks, is_script) && is_quiet(job.state) && !has_parts_under_way(job);
}

void Server::open_for_script(Job& job, const wire::AllocationTaskRegister& m) {
    wire::JobOpen open = job.facts;
    open.uuid = m.uuid;
    open.options = m.task.options;
    const std::int64_t opened_at = job.opened_at;
    auto without_us = std::move(job.without_us);
    std::vector<Fd> leaving = std::move(job.leaving);
    for (auto& [key, task] : job.tasks)
        for (const Fd* process : {&task.shim_pidfd, &task.root_pidfd})
            if (*process)
                if (auto same = duplicate(process->get())) leaving.push_back(std::move(*same));
    std::erase_if(leaving, has_ended);
    forget_job(open.job_id);
    Job next = make_job(open);
    next.state.in_allocation = true;
    next.opened_at = opened_at;
    next.without_us = std::move(without_us);
    next.leaving = std::move(leaving);
    log::info("job " + std::to_string(open.job_id) + " of uid " + std::to_string(open.uid) +
              " opens for a step of its allocation" +
              (next.state.unmanaged ? ", unmanaged: " + one_line(*next.state.unmanaged) : std::string()));
    remember_user(next);
    keep_on_file(m_jobs.emplace(open.job_id, std::move(next)).first->second);
}

// Two must not go on from the same place, and write to the same files.
bool Server::wait_for_leaving(Job& job, const TaskKey& task, const std::function<void(Job&)>& then) {
    std::erase_if(job.leaving, has_ended);
    if (job.leaving.empty()) return false;
    m_loop.after(k_look_again, [this, job_id = job.facts.job_id, serial = job.serial, task, then] {
        Job* still = find_job(job_id, serial);
        if (still != nullptr && still->tasks.contains(task)) then(*still);
    });
    return true;
}

// `is_placed`: the task is one of the job as it is now.
Status Server::place_in_allocation(const Peer& peer, const wire::AllocationTaskRegister& m, bool& is_placed) {
    is_placed = false;
    Job* job = find_job(m.task.job_id);
    if (job == nullptr)
        return fail(Code::not_found, "job " + std::to_string(m.task.job_id) + " was not opened here");
    if (job->facts.uid != m.task.uid) return fail(Code::not_permitted, "a task of another user");
    if (!is_uuid(m.uuid)) return fail(Code::wire_malformed, "a task without the identity of its step");
    const bool is_script = m.task.stand_in == 0;
    if (is_script && !is_one_task(m.task))
        return fail(Code::not_permitted, "several tasks that are to stand for a script");
    const bool is_news = job->facts.uuid != m.uuid || (!job->state.in_allocation && job->tasks.empty());
    const auto stands_for_script = [](const auto& task) { return task.second.stand_in == 0; };
    if (!is_news && is_script && std::ranges::any_of(job->tasks, stands_for_script))
        return fail(Code::not_permitted, "the job has its script");
    is_placed = true;
    if (!is_news) return {};
    if (is_free_for_script(*job)) {
        open_for_script(*job, m);
        return {};
    }
    is_placed = false;
    const bool restores = is_script && std::ranges::any_of(m.task.options, is_restore);
    return run_without_us(*job, peer, m.task,
                          !is_script ? ""
                          : restores ? k_not_restored
                                     : k_one_at_a_time,
                          !restores);
}

void Server::on_message(ConnectionId id, const wire::AllocationTaskRegister& m) {
    const Connection& connection = m_connections.at(id);
    if (connection.peer.uid != 0) return drop_connection(id);
    bool is_placed = false;
    const Status placed = place_in_allocation(connection.peer, m, is_placed);
    if (is_placed) return answer_registration(id, m.task);
    if (!placed)
        log::warning("task of job " + std::to_string(m.task.job_id) + ": " + one_line(placed.error()));
    reply(id, placed);
}

} // namespace ckpt
