// SPDX-License-Identifier: GPL-2.0-or-later
// What a daemon that is started anew must know of the jobs on its node to go on with them: one file per job
// below /run, which a reboot empties.
#pragma once

#include <string>
#include <vector>

#include "os/fd.hpp"
#include "os/namespaces.hpp"
#include "os/procfs.hpp"
#include "plan_file.hpp"
#include "result/result.hpp"
#include "state.hpp"
#include "wire/messages.hpp"
#include "wire/store_messages.hpp"

namespace ckpt {

struct TaskOnFile {
    wire::TaskRegister registered;
    KnownProcess shim;
    NamespaceId mount_namespace; // those of the tree, as pinned
    NamespaceId pid_namespace;
    KnownProcess root; // of the tree; none before it was started
    std::int32_t root_pid_inside = 0;
    KnownProcess init;      // pid 1 of a namespace of ours
    bool restoring = false; // a restore was under way, of which the shim had not been told
    std::string memory_cgroup;
    std::uint64_t oom_kills_before = 0;
    // Of a step's task, as in wire::StepTaskRegister.
    std::uint64_t stand_in = 0;
    StepFacts step;
    bool has_ended = false; // and others of its step have not
    std::int32_t wait_status = 0;
    template <class V>
    void fields(V& v) {
        v(registered, shim, mount_namespace, pid_namespace, root, root_pid_inside, init, restoring,
          memory_cgroup, oom_kills_before, stand_in, step, has_ended, wait_status);
    }
};

struct StepdOnFile {
    std::uint64_t stand_in = 0;
    KnownProcess stepd;
    template <class V>
    void fields(V& v) {
        v(stand_in, stepd);
    }
};

// What the generation that the job has come from has of a step, and has not been started yet.
struct ExpectedOnFile {
    std::uint64_t stand_in = 0;
    std::uint32_t task_id = 0;
    bool has_ended = false;
    std::int32_t wait_status = 0;
    template <class V>
    void fields(V& v) {
        v(stand_in, task_id, has_ended, wait_status);
    }
};

// A last generation whose images are complete and on their way to the store. Its trees have been ended: it is
// all that is left of what the job has done since the one before.
struct PendingOnFile {
    std::uint32_t generation = 0;
    Reason reason = Reason::forced_end;
    bool tree_was_stopped = false;
    std::int64_t taken_at = 0;
    std::vector<wire::Part> parts;
    std::vector<wire::ExitedTask> exited;
    std::vector<compat::Mount> mounts;
    template <class V>
    void fields(V& v) {
        v(generation, reason, tree_was_stopped, taken_at, parts, exited, mounts);
    }
};

// From the first release on a change gets a new k_type, and the daemon reads the one before it as well.
struct JobFile {
    static constexpr std::uint16_t k_type = 81; // never leaves the daemon
    wire::JobOpen open;
    PlanOnFile plan;
    bool managed = false; // its checkpoints were not off when it started
    std::int64_t opened_at = 0;
    std::int64_t checkpoint_due = 0; // Unix seconds, 0 = none
    std::uint32_t last_generation = 0;
    std::uint32_t saved = 0;
    std::uint64_t newest_bytes = 0;
    std::uint64_t dump_rate = 0; // bytes per second, 0 = not measured
    std::uint64_t commit_rate = 0;
    std::uint64_t pause_s = 0;
    std::uint8_t cause = 0; // of its ending, 1 more than a Cause; 0 = not known
    bool can_requeue = false;
    std::vector<PendingOnFile> pending;
    std::vector<TaskOnFile> tasks;
    std::vector<ExpectedOnFile> expected;
    std::uint32_t adopted_incarnation = 0; // the generation that `expected` is of
    std::uint32_t adopted_generation = 0;
    std::string step_dir;
    std::vector<StepdOnFile> stepds;
    bool in_allocation = false;
    bool switched_off = false;
    template <class V>
    void fields(V& v) {
        v(open, plan, managed, opened_at, checkpoint_due, last_generation, saved, newest_bytes, dump_rate,
          commit_rate, pause_s, cause, can_requeue, pending, tasks, expected, adopted_incarnation,
          adopted_generation, step_dir, stepds, in_allocation, switched_off);
    }
};

class JobFiles {
public:
    // Opens (or makes) the directory, which is root's.
    static Result<JobFiles> open(const std::string& path);
    // Those that can be read; what cannot is removed.
    [[nodiscard]] std::vector<JobFile> load() const;
    // `bytes`: of the encoded JobFile.
    Status save(std::uint32_t job_id, const std::string& bytes) const;
    void remove(std::uint32_t job_id) const;

private:
    explicit JobFiles(Fd dir) : m_dir(std::move(dir)) {}
    Fd m_dir;
};

} // namespace ckpt
