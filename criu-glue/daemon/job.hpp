// SPDX-License-Identifier: GPL-2.0-or-later
// What the daemon holds about a job besides its state: descriptors, processes, connections. Data only.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compat/needs.hpp"
#include "job_files.hpp"
#include "loop.hpp"
#include "node_link.hpp"
#include "os/activity.hpp"
#include "os/fd.hpp"
#include "policy/fit.hpp"
#include "policy/resolve.hpp"
#include "settle_round.hpp"
#include "state.hpp"
#include "wire/messages.hpp"
#include "wire/store_messages.hpp"
#include "worker.hpp"

namespace ckpt {

using ConnectionId = std::uint64_t;

// A task as slurmstepd registered it. Its namespaces were opened then and there, before anything of the user
// ran: nothing else is ever entered for it.
struct Task {
    wire::TaskRegister registered;
    std::int32_t shim_pid = 0;
    Fd shim_pidfd;
    std::uint64_t shim_start_time = 0;
    wire::UserIds user;
    std::string script; // slurmstepd's first argument

    ConnectionId shim = 0;                    // its connection, 0 = none
    std::uint64_t stand_in = 0;               // of a step's task, else 0
    std::vector<std::int32_t> stdio{0, 1, 2}; // in the shim: the tree's
    std::int32_t status_pipe = -1;            // in the shim: write end, for the tree that will be restored
    std::int32_t state = -1;                  // in the shim: wire::TaskHello::state
    StepFacts step;
    // Of a job whose script runs elsewhere:
    bool told = false;           // what to start; or its tree was found running
    bool alone = false;          // its tree runs without us
    bool term_asked = false;     // its shim holds a SIGTERM back
    bool term_delivered = false; // the coordinator does not know

    NamespaceId mount_namespace_id; // of the tree: pinned at registration, or made by our restore
    NamespaceId pid_namespace_id;
    Fd mount_namespace;
    Fd pid_namespace;
    Fd restored_state; // for the shim of a restored tree: what the one before had kept
    Fd root_pidfd;
    std::uint64_t root_start_time = 0;
    std::uint64_t init_start_time = 0;
    std::int32_t root_pid = 0;        // here
    std::int32_t root_pid_inside = 0; // in pid_namespace
    std::int32_t init_pid = 0;        // pid 1 of a namespace made by us, 0 = the host's
    Workers::Id worker = 0;           // adopting, restoring or dumping
    std::uint64_t attempt = 0; // at a start; what an earlier one has brought under way is not waited for

    std::uint32_t app_limit_s = 0;      // of the newest wire::AskApp
    std::string cgroup;                 // os/cgroup.hpp, of the shim and its tree; "" = no hello yet
    std::string memory_cgroup;          // os/cgroup.hpp; "" = not looked for yet, or none
    bool restores = false;              // `worker` is at it
    bool was_restoring = false;         // when an earlier daemon ended: what it had restored may have run on
    std::optional<Packet> made;         // wire::RestoreResult, until there is wire::RestoreDone
    std::uint64_t oom_kills_before = 0; // in it, when the tree started
};

// A generation on its way: when it was cut and what the manifest will say of its parts.
struct Generation {
    std::int64_t taken_at = 0;
    std::map<TaskKey, wire::Part> parts;
    std::set<compat::Mount> mounts; // that their files lie on
    std::uint64_t link = 0;         // over which its dumps were ordered, of a job whose script runs elsewhere
    std::string step_dir;           // where stand-ins of srun were bound; "" = there were none
    struct Elsewhere {
        std::uint64_t stand_in = 0;
        std::string node;
    };
    std::map<TaskKey, Elsewhere> elsewhere; // parts whose images are on other nodes
    std::optional<effect::Commit> commit;   // under way
    // What its trees here hold, by device and inode: who holds it, and whether one may write to it.
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::pair<TaskKey, bool>> held;
    std::optional<DumpNeed> need; // of all its dumps
};

// What is on its way between trees and Slurm is being brought to rest (effects_cut.cpp).
struct Settling {
    std::uint32_t generation = 0;
    SettleRound round;
    bool has_stand_ins = false;           // of this round, as far as those say that have answered
    std::map<pid_t, std::uint64_t> sruns; // with their stand-ins
    bool has_foreign = false;             // one of them talks to a slurmstepd that we do not know
    std::map<pid_t, Activity> before;     // of slurmstepds and sruns, in the round before
};

// What a worker's answer is for.
struct Attempt {
    std::uint32_t job_id = 0;
    std::uint64_t serial = 0; // of the incarnation
    TaskKey task;
    std::uint64_t number = 0;
};

struct AdoptedGeneration {
    std::uint32_t incarnation = 0;
    std::uint32_t generation = 0;
    std::uint32_t of_job = 0;
    std::int64_t taken_at = 0;
    bool tree_was_stopped = false;
    bool from_copy = false; // that had stayed on this node
    double cpu_s = 0;       // that the incarnation before had spent on it: allocated CPUs times run time
};

// Bytes per second, measured; 0 = not yet.
struct Rates {
    double dump = 0;
    double commit = 0;
};

struct Job {
    std::uint64_t serial = 0; // tells incarnations apart
    wire::JobOpen facts;
    Policy policy;           // in force for this job
    std::string on_file;     // as job_files.hpp keeps it
    bool taken_over = false; // from an earlier daemon
    JobState state;
    wire::StorePlace place;
    wire::UserIds user;     // as the newest task's credential says
    std::string local_name; // this incarnation's directory on the local tier
    std::map<TaskKey, Task> tasks;
    std::map<std::uint32_t, Generation> generations; // being taken or committed
    std::map<TaskKey, AdoptedGeneration> adopted;
    std::optional<Settling> settling;
    OtherNodes others;
    struct WithoutUs {
        KnownProcess shim;
        std::string line;   // that it prints
        bool starts = true; // else it ends at once: it was to go on from a checkpoint
    };
    std::vector<WithoutUs> without_us; // tasks of steps that were refused
    std::vector<Fd>
        leaving; // processes of what ran in the allocation before: nothing is restored beside them
    std::optional<Coordinator> coordinator; // its script runs elsewhere
    std::uint64_t settle_rounds = 0;        // so far
    std::map<std::uint64_t, KnownProcess>
        stepds;                              // by stand-in: slurmstepd, which passes the step's streams on
    std::string step_dir;                    // where srun's stand-ins are bound, below wire::k_step_dirs
    std::deque<effect::Commit> commit_queue; // one worker at a time writes to a job's store
    bool commit_runs = false;
    Workers::Id commit_worker = 0;
    std::int64_t opened_at = 0; // Unix seconds
    Rates rates;
    std::uint64_t newest_bytes = 0;  // of the newest images
    Seconds last_cost{0};            // pause of the newest dump, rounded up; 0 = none yet
    std::int64_t checkpoint_due = 0; // the next periodic one, Unix seconds; 0 = none

    std::uint64_t resident_bytes = 0; // as of resident_at
    std::int64_t resident_at = 0;     // Unix seconds
    std::int64_t commented_at = 0;    // Unix seconds

    Loop::Id interval_timer = 0;
    Loop::Id cause_timer = 0;
    Loop::Id limit_timer = 0;
    Loop::Id epilog_timer = 0;
    std::optional<ConnectionId> epilog; // waits for the commit
    bool epilog_over = false;
    std::optional<ConnectionId> on_demand; // waits for its generation
    // One signal reaches many tasks, each of which asks.
    struct Signalled {
        std::set<std::string> by;
        std::chrono::steady_clock::time_point until;
    };
    Signalled signalled;
    LinkId commanded = 0; // likewise, over a command link; 0 = none
    // Who asks for an end of it: slurmctld is asked once for all that come meanwhile.
    struct Leaver {
        wire::Ask ask;
        std::function<void(std::optional<Error>)> then;
    };
    std::shared_ptr<std::vector<Leaver>> leavers; // nullptr = slurmctld is not being asked
    struct AskedInside {
        std::vector<std::uint64_t> waiting; // tokens of wire::AskFor
        Reason reason = Reason::on_demand;  // of these
        std::vector<std::uint64_t> begun;
        bool is_begun = false;
        std::vector<std::uint64_t> told; // of whom something is in wire::k_asked_dir
    };
    AskedInside inside; // processes of the job wait
    struct DumpPlace {
        std::uint32_t generation = 0;
        std::chrono::steady_clock::time_point until;
    };
    std::string app_dir;       // of a program that saves itself; "" = there is none
    bool app_dir_runs = false; // something is being noted there
    DumpPlace dump_place;      // of admission.dumps, of the generation that was begun last in its turn
};

// The directory of this incarnation on the local tier.
std::string local_name_of(const wire::JobOpen& open);

} // namespace ckpt
