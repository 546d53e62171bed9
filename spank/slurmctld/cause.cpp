// SPDX-License-Identifier: GPL-2.0-or-later
#include "cause.hpp"

#include <slurm/slurm.h>

#include <algorithm>

#include "result/printable.hpp"

namespace ckpt {

const char* cause_of(const JobRecord& job) {
    const bool completing = (job.state & JOB_COMPLETING) != 0;
    switch (job.state & JOB_STATE_BASE) {
    case JOB_RUNNING:
        return "running";
    case JOB_SUSPENDED:
        return "suspended";
    case JOB_PENDING: // preempt_time is cleared only when the cleaning up is over
                      // (job_mgr.c:batch_requeue_fini)
        if (!completing) return "pending";
        return job.preempt_time != 0 ? "preempted" : "requeue";
    case JOB_PREEMPTED: // PreemptMode=CANCEL: nobody requeues it
        return "preempted-for-good";
    case JOB_TIMEOUT:
    case JOB_DEADLINE:
        return "timeout";
    case JOB_CANCELLED:
        return "cancelled";
    case JOB_NODE_FAIL:
    case JOB_BOOT_FAIL:
        return "node_fail";
    default:
        return completing ? "completing" : "ended";
    }
}

bool is_unfinished(std::uint32_t state) {
    return (state & JOB_STATE_BASE) < JOB_COMPLETE ||
           (state & (JOB_COMPLETING | JOB_REQUEUE | JOB_REQUEUE_HOLD | JOB_SPECIAL_EXIT)) != 0;
}

std::string id_ranges(std::vector<std::uint32_t> ids) {
    std::ranges::sort(ids);
    const auto [first_left, last] = std::ranges::unique(ids);
    ids.erase(first_left, last);
    std::string text;
    for (std::size_t i = 0; i < ids.size();) {
        std::size_t end = i;
        while (end + 1 < ids.size() && ids[end + 1] == ids[end] + 1)
            ++end;
        text += " " + std::to_string(ids[i]);
        if (end > i) text += "-" + std::to_string(ids[end]);
        i = end + 1;
    }
    return text;
}

std::string cause_line(const JobRecord& job) {
    return std::string(cause_of(job)) + " restarts=" + std::to_string(job.restart_count) +
           " end=" + std::to_string(job.end_time) + " preempt=" + std::to_string(job.preempt_time) +
           " requeue=" + (job.requeue && job.batch && requeue_of(job) != Requeue::refused ? "1" : "0") +
           " grace=" + (job.grace ? "1" : "0");
}

std::string about_line(const JobRecord& job) {
    return std::to_string(job.job_id) + " " + cause_of(job) + " " +
           (job.array_task ? std::to_string(*job.array_task) : "-") + " " + std::to_string(job.uid) + " " +
           printable(job.name);
}

Requeue requeue_of(const JobRecord& job) {
    switch (job.state & JOB_STATE_BASE) {
    case JOB_RUNNING:
    case JOB_SUSPENDED:
        return Requeue::possible;
    case JOB_PENDING:
        return Requeue::done_already;
    case JOB_TIMEOUT:
    case JOB_PREEMPTED:
    case JOB_NODE_FAIL:
        return Requeue::possible_late;
    default:
        return Requeue::refused;
    }
}

} // namespace ckpt
