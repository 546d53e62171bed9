// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

namespace ckpt {

// The facts of a job's record that tell what is happening to it.
struct JobRecord {
    std::uint32_t state = 0; // base state and flags (slurm.h: JOB_STATE_BASE, JOB_STATE_FLAGS)
    std::time_t preempt_time = 0;
    std::time_t end_time = 0;
    std::uint32_t restart_count = 0;
    std::uint32_t priority = 1; // 0 = held
    bool requeue = false;       // JobRequeue, --requeue, --no-requeue
    bool grace = false;         // its grace time before a preemption has begun, once: GRACE_PREEMPT stays
    std::string reason;         // of a pending job, in Slurm's words
    std::string comment;
    std::string admin_comment;
    std::string excluded_nodes;
    std::string required_nodes;
    std::string partitions;      // "a,b"
    std::string features;        // of its --constraint
    std::uint32_t min_nodes = 1; // that it asks for
    std::uint32_t job_id = 0;
    std::optional<std::uint32_t> array_task; // of an element of an array
    std::string name;
    std::uint32_t uid = 0; // of its user
    bool batch = true;     // it has a script; slurmctld requeues no other (job_mgr.c:_job_requeue_op)
    std::string batch_host;
    std::string nodes; // "n[1-3]"
    std::string qos;
};

// One word: running, suspended, requeue, preempted, timeout, cancelled, node_fail, completing (it ended by
// itself and is being cleaned up), pending, ended (some other final state). A job that is being requeued is
// PENDING with the flag COMPLETING from the moment on that slurmctld sends the SIGTERM (slurm
// src/slurmctld/job_mgr.c:_job_requeue_op).
const char* cause_of(const JobRecord& job);

// It has not come to its end, or is still being cleaned up: somebody may be at work on its checkpoints.
bool is_unfinished(std::uint32_t state);

// " 7001-7003 7010", in any order given, each once.
std::string id_ranges(std::vector<std::uint32_t> ids);

// The word followed by " restarts=N end=EPOCH preempt=EPOCH requeue=0|1 grace=0|1"; epoch 0 = none.
std::string cause_line(const JobRecord& job);

// "76 ended 3 UID NAME": its number, the word, the index of an array's element or "-", its user, and the
// job's name to the end of the line.
std::string about_line(const JobRecord& job);

// What requeueing does to a job in this state.
enum class Requeue : std::uint8_t {
    possible,      // it runs
    possible_late, // it hit its limit or lost its node and is being cleaned up: slurmctld still accepts
    done_already,  // it is pending
    refused        // it was cancelled or has ended: slurmctld would accept, and run it all over again
};
Requeue requeue_of(const JobRecord& job);

} // namespace ckpt
