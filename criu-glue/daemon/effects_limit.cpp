// SPDX-License-Identifier: GPL-2.0-or-later
// The time limit: when the last checkpoint before it is due, what slurmctld says of it, and the requeue.
#include <algorithm>
#include <ctime>

#include "log.hpp"
#include "os/procfs.hpp"
#include "os/tree.hpp"
#include "policy/margin.hpp"
#include "policy/spread.hpp"
#include "server.hpp"
#include "slurmctld.hpp"

namespace ckpt {

namespace {

constexpr Seconds k_soon{60};
constexpr Seconds k_look_again{5};
constexpr Seconds k_requeue_again{10};
constexpr Seconds k_spread_max{60}; // its node is not free before

// A look reads files of every process, and `sckpt explain` may ask for it as often as it likes.
std::uint64_t resident_bytes_of(Job& job) {
    const std::int64_t now = std::time(nullptr);
    if (now - job.resident_at < k_look_again.count()) return job.resident_bytes;
    std::uint64_t bytes = 0;
    for (const auto& [key, task] : job.tasks) {
        if (task.root_pid == 0) continue;
        const auto pids = tree_pids(task.root_pid);
        if (!pids) continue;
        for (const pid_t pid : *pids)
            bytes += resident_bytes(pid).value_or(0);
    }
    job.resident_bytes = bytes;
    job.resident_at = now;
    return bytes;
}

Seconds left_of(const Job& job) {
    return Seconds(job.facts.end_time - static_cast<std::int64_t>(std::time(nullptr)));
}

Seconds allowance_of(const Job& job) {
    return Seconds(job.facts.end_time - job.opened_at);
}

} // namespace

CheckpointCost Server::checkpoint_cost(Job& job) const {
    return {std::max(resident_bytes_of(job), job.newest_bytes),
            {job.rates.dump, m_rates.dump},
            {job.rates.commit, m_rates.commit},
            place_in(std::min(m_policy.slurmctld.spread, allowance_of(job) / 4), job.facts.job_id)};
}

Seconds Server::margin_of(Job& job) const {
    if (is_app(job.state))
        return limit_margin(job.policy.app, checkpoint_cost(job).place, job.policy.time_limit,
                            allowance_of(job))
            .margin;
    return limit_margin(checkpoint_cost(job), job.policy.time_limit, allowance_of(job)).margin;
}

bool Server::is_limit_near(Job& job) const {
    return left_of(job) <= margin_of(job);
}

// The margin changes with the job's memory, so it is looked at again and again, each time in half of what is
// left. Nobody is asked: a look costs a few reads of /proc.
void Server::perform(Job& job, const effect::ArmLimit& /*e*/) {
    m_loop.cancel(job.limit_timer);
    if (job.facts.end_time == 0) return;
    const Seconds margin = margin_of(job);
    const Seconds until = left_of(job) - margin;
    // The time of a suspension is not counted, so the limit is another one afterwards.
    const bool suspended = is_suspended(job);
    if (until.count() > 0 || suspended) {
        look_at_limit_in(job, suspended ? k_soon : until > k_soon ? until / 2 : until);
        return;
    }
    log::info("job " + std::to_string(job.facts.job_id) + ": its time limit comes in " +
              std::to_string(left_of(job).count()) + " s, a last checkpoint needs up to " +
              std::to_string(margin.count()) + " s");
    job.limit_timer =
        m_loop.after(std::chrono::milliseconds(0), [this, job_id = job.facts.job_id, serial = job.serial] {
            if (find_job(job_id, serial) != nullptr) handle(job_id, event::LimitNear{});
        });
}

void Server::look_at_limit_in(Job& job, Seconds delay) {
    job.limit_timer = m_loop.after(delay, [this, job_id = job.facts.job_id, serial = job.serial] {
        if (Job* still = find_job(job_id, serial)) perform(*still, effect::ArmLimit{});
    });
}

void Server::perform(Job& job, const effect::AskLimit& /*e*/) {
    ask_news(m_workers, job.facts.job_id,
             [this, job_id = job.facts.job_id, serial = job.serial](const JobNews& news) {
                 Job* asked = find_job(job_id, serial);
                 if (asked == nullptr) return;
                 if (news.suspended)
                     return look_at_limit_in(*asked, k_soon); // its processes may not be frozen yet
                 using Limit = event::LimitKnown::Limit;
                 event::LimitKnown known{Limit::near, news.can_requeue};
                 if (news.answered && news.cause != Cause::running) known.limit = Limit::over;
                 if (news.cause == Cause::running) {
                     asked->facts.end_time = news.end_time;
                     if (!is_limit_near(*asked)) known.limit = Limit::later;
                 }
                 handle(job_id, known);
             });
}

void Server::perform(Job& job, const effect::CancelJob& /*e*/) {
    cancel_job(m_workers, job.facts.job_id,
               [this, job_id = job.facts.job_id, serial = job.serial](std::optional<Error> error) {
                   if (find_job(job_id, serial) == nullptr) return;
                   if (error) log::warning("job " + std::to_string(job_id) + ": " + one_line(*error));
                   handle(job_id, event::CancelEnded{std::move(error)});
               });
}

void Server::perform(Job& job, const effect::RequeueJob& e) {
    // After a preemption or a limit that came unseen its neighbours come to the same. Before a limit they
    // have different margins already.
    const Seconds delay = e.again ? k_requeue_again
                          : job.state.cause
                              ? place_in(std::min(m_policy.slurmctld.spread, k_spread_max), job.facts.job_id)
                              : Seconds(0);
    if (!e.now && delay.count() > 0) {
        m_loop.after(delay, [this, job_id = job.facts.job_id, serial = job.serial] {
            if (Job* still = find_job(job_id, serial)) perform(*still, effect::RequeueJob{false, true});
        });
        return;
    }
    requeue_job(m_workers, job.facts.job_id,
                [this, job_id = job.facts.job_id, serial = job.serial](std::optional<Error> error) {
                    if (find_job(job_id, serial) == nullptr) return;
                    if (error) log::warning("job " + std::to_string(job_id) + ": " + one_line(*error));
                    handle(job_id, event::RequeueEnded{std::move(error)});
                });
}

} // namespace ckpt
