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
    // Shared by all nodes; generations are committed here, in a directory of each user's. Without %u the
    // user's name is appended.
    std::string base = "/var/spool/slurm-checkpoint/store";
    std::string local = "/var/spool/slurm-checkpoint/local"; // node-local; takes the dump
    // Bytes of newest generations that stay on the node, for a fast restart there; 0 = none.
    std::uint64_t local_copies = 10ULL << 30;
    std::uint32_t compression = 3; // zstd's level
};

// Beyond the newest `keep` of a job that runs or waits.
struct PolicyRetention {
    Seconds after_end{14L * 24 * 3600}; // generations of a job that ended without success; 0 = none stay
    Seconds max_age{90L * 24 * 3600};   // of any generation; 0 = no limit
    std::uint64_t user_limit = 0;       // bytes of one user's in `base`; 0 = no limit
    double min_free = 0.02;             // share of the file system of `base` that has to stay free
    Seconds every{24L * 3600};          // between two prunings
};

struct PolicyAdmission {
    std::uint32_t dumps = 2;     // periodic ones at once on one node; 0 = no limit
    std::uint32_t commits = 0;   // at once into `base` in the whole cluster; 0 = no limit
    std::string leases;          // directory that all nodes share, the service account's; needed by `commits`
    std::uint64_t bandwidth = 0; // bytes per second that one node writes to `base`; 0 = no limit
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
    // --checkpoint-files=copy: bytes of all files modified in place that are saved with one checkpoint.
    std::uint64_t copy_limit = 16ULL << 30;
    std::uint64_t tail_limit =
        64ULL << 20; // of each rolled-back file: at most so much of what is cut is kept
};

// When checkpoints are taken that nobody has asked for.
struct PolicyAuto {
    Seconds node_mtbf{30L * 24 * 3600}; // mean time between failures of one node
    double max_overhead = 0.01;         // share of run time that checkpoints may cost
    Seconds first{120}; // from a job's first start to its first checkpoint, the verdict; 0 = with the others
    Seconds min_run_time{300}; // jobs with a shorter time limit get their last one only
    double jitter = 0.1;       // share of an interval by which it may be shorter
};

// `sckpt drain`.
struct PolicyMaintenance {
    std::uint32_t jobs = 4; // of a node at once
};

// How long before the time limit a last checkpoint is started.
struct PolicyTimeLimit {
    double safety = 1.5; // the predicted time of that checkpoint is multiplied by it
    Seconds reserve{10}; // added to it, for slurmctld to answer and to requeue the job
};

// Programs that save themselves (--checkpoint-method=app:SIG).
struct PolicyApp {
    Seconds patience{120}; // how long one is given for it, but for the forced end that comes without warning
};

// What slurmctld is asked for beyond what a job's survival needs, and when.
struct PolicySlurmctld {
    bool comment = true;         // the newest generation is shown in the job's AdminComment
    Seconds comment_every{3600}; // per job, not more often
    // Jobs that come to their end in the same moment are requeued spread over this time.
    Seconds spread{10};
};

// How the ckptd of different nodes reach each other, for jobs whose steps run on several.
struct PolicyNetwork {
    std::uint16_t port = 6821; // TCP; 0 = not at all: such steps are not checkpointed
};

// How this node tells what it has done (docs/metrics.md).
struct PolicyMetrics {
    std::string textfile; // written for node_exporter's collector; "" = none
    Seconds every{15};
};

// What a node must have to restore what another one has saved, beyond its processor and file systems.
struct PolicyCompat {
    bool any_kernel = false; // also one older than that of the node where it was saved
    // Slurm's features that tell the site's kinds of processors apart: a job with a checkpoint gets the one
    // of these that the node of it has as a constraint.
    std::vector<std::string> features;
};

enum class RestoreFailure : std::uint8_t { hold, requeue_elsewhere };
// What a restore does when somebody else has replaced, removed or changed a file that the job had open.
enum class ChangedFile : std::uint8_t { refuse, ignore };

struct PolicyFailure {
    RestoreFailure restore_impossible = RestoreFailure::hold;
    ChangedFile changed_file = ChangedFile::refuse;
    Seconds epilog_wait{60};       // longest time job_epilog waits for a commit
    std::uint32_t no_progress = 5; // restores in a row from one checkpoint after which the job is held
};

// A key that a file states: "defaults.keep", and where: "checkpoint.yaml:12".
struct StatedKey {
    std::string key;
    std::string where;
};

// The jobs for which a scope holds: of each list that is not empty one pattern has to fit. In a pattern `*`
// stands for anything.
struct ScopeMatch {
    std::vector<std::string> users;
    std::vector<std::string> accounts;
    std::vector<std::string> qos;
    std::vector<std::string> partitions;
    std::vector<std::string> constraints; // node features that the job's --constraint names
};

struct PolicyScope;

struct Policy {
    PolicyDefaults defaults;
    PolicyLimits limits;
    PolicyStorage storage;
    PolicyRetention retention;
    PolicyAdmission admission;
    PolicyEngine engine;
    PolicyAuto automatic;
    PolicyTimeLimit time_limit;
    PolicyApp app;
    PolicySlurmctld slurmctld;
    PolicyNetwork network;
    PolicyCompat compat;
    PolicyFailure failure;
    PolicyMaintenance maintenance;
    PolicyMetrics metrics;
    // So that a stated value can be told from a built-in one.
    std::vector<StatedKey> stated;
    std::vector<PolicyScope> scopes; // as the files have them; policy_for() chooses
};

// What is different for some jobs (policy/scopes.hpp).
struct PolicyScope {
    ScopeMatch match;
    Policy values; // those that are in `values.stated`; it has no scopes of its own
};

} // namespace ckpt
