// SPDX-License-Identifier: GPL-2.0-or-later
// The cluster's policy as the files under /etc/slurm state it; every member has the documented default.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/values.hpp"

namespace ckpt {

struct PolicyDefaults {
    bool enabled = false; // true: jobs are checkpointed unless they say --checkpoint=off
    Interval interval = IntervalAuto{};
    Triggers on{1 | 2 | 4 | 8};
    Method method;
    std::uint32_t keep = 2;
    std::uint32_t max_restarts = 100;
    FilesMode files = FilesMode::append;
};

struct PolicyLimits {
    Seconds min_interval{60};
    std::uint32_t max_keep = 10;
    std::uint32_t max_restarts = 1000;
    std::vector<std::string> directories; // bases that --checkpoint-dir may name; empty = none
};

struct PolicyStorage {
    std::string base =
        "/var/spool/slurm-checkpoint/store"; // shared by all nodes; generations are committed here
    std::string local = "/var/spool/slurm-checkpoint/local"; // node-local; takes the dump
};

struct PolicyEngine {
    std::string criu = "/usr/sbin/criu";
    Seconds dump_timeout{300};              // then CRIU is stopped and the job runs on
    Seconds restore_timeout{600};           // then the restore counts as failed
    std::uint64_t ghost_limit = 1ULL << 30; // largest deleted-but-open file saved with an image, bytes;
                                            // below 4 GiB, as CRIU's RPC has 32 bits for it
    // Each node has its own; what a job uses below them is saved with its images.
    std::vector<std::string> node_local{"/dev/shm", "/tmp", "/var/tmp"};
    std::uint64_t node_local_limit = 4ULL << 30; // bytes of it all
};

// The failure rate behind interval "auto".
struct PolicyAuto {
    Seconds node_mtbf{30L * 24 * 3600}; // mean time between failures of one node
    double max_overhead = 0.01;         // share of run time that checkpoints may cost
};

// How long before the time limit a last checkpoint is started.
struct PolicyTimeLimit {
    double safety = 1.5; // the predicted time of that checkpoint is multiplied by it
    Seconds reserve{10}; // added to it, for slurmctld to answer and to requeue the job
};

// What slurmctld is asked for beyond what a job's survival needs, and when.
struct PolicySlurmctld {
    bool comment = true;         // the newest generation is shown in the job's AdminComment
    Seconds comment_every{3600}; // per job, not more often
    // Jobs that come to their end in the same moment are requeued spread over this time.
    Seconds spread{10};
};

enum class RestoreFailure : std::uint8_t { hold, requeue_elsewhere };

struct PolicyFailure {
    RestoreFailure restore_impossible = RestoreFailure::hold;
    Seconds epilog_wait{60};       // longest time job_epilog waits for a commit
    std::uint32_t no_progress = 5; // restores in a row from one checkpoint after which the job is held
};

struct Policy {
    PolicyDefaults defaults;
    PolicyLimits limits;
    PolicyStorage storage;
    PolicyEngine engine;
    PolicyAuto automatic;
    PolicyTimeLimit time_limit;
    PolicySlurmctld slurmctld;
    PolicyFailure failure;
    // The keys that the file states ("defaults.keep"), so that a stated value can be told from a built-in
    // one.
    std::vector<std::string> stated;
};

} // namespace ckpt
