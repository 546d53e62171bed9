// SPDX-License-Identifier: GPL-2.0-or-later
// The life of one job on one node as a pure state machine: (state, event) -> effects. Every decision of the
// daemon about a job is here; nothing here touches a file, a process or a clock (docs/architecture.md).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "effects.hpp"
#include "events.hpp"
#include "failure.hpp"
#include "policy/resolve.hpp"
#include "result/result.hpp"

namespace ckpt {

struct TaskState {
    enum class Phase : std::uint8_t {
        registered,
        adopting,
        restoring,
        running,
        ended,
        held
    } phase = Phase::registered;
    bool shim_present = false;
    bool term_held = false; // its shim holds a SIGTERM back
    effect::Adopt asked;    // what the store was asked last
    bool asked_again = false;
    unsigned asked_history = 0; // how often slurmctld was asked then

    bool gated = false; // event::ShimArrived
    // Of a step's task, else 0.
    std::uint64_t stand_in = 0;
    StepFacts step;
    bool is_late = false;           // its shim has not said hello in time: nothing waits for it
    bool may_run = false;           // it was told to start, or an earlier daemon may have started it
    bool without_us = false;        // event::RunsWithoutUs
    bool waits_for_cut = false;     // it may start when the generation under way is taken: it is not in that
    std::optional<int> exit_status; // once it has ended
    bool over = false;              // its srun has ended
};

// How a task of a step had ended at a cut, while others of the step ran.
struct StepExit {
    StepTask task;
    int wait_status = 0;
    bool operator==(const StepExit&) const = default;
};

// A generation whose images are being taken: all tasks or nothing (state_cut.cpp).
struct Taking {
    enum class Stage : std::uint8_t {
        stopping, // trees are being stopped
        settling, // all stand still; what is on its way between them comes to rest
        dumping,
        finishing // all images are complete: the trees run on
    } stage = Stage::stopping;
    std::uint32_t generation = 0;
    Reason reason = Reason::interval;
    bool leave_stopped = false;
    std::set<TaskKey> missing; // tasks whose dump has not ended
    std::set<TaskKey> at_gate; // of these, which wait for the others
    std::set<TaskKey> leaving; // tasks of steps that have ended meanwhile, and of which nobody has said how
    std::vector<StepExit> exited;
    bool gated = false;
    std::optional<Error> error;
    std::uint64_t frozen_us = 0;
    std::uint64_t image_bytes = 0;
    // Of a program that saves itself (state_app.cpp):
    std::set<TaskKey>
        unasked; // steps: the script's shim first, which holds back what the script is not to see
    std::uint32_t processes = 0; // that were asked
};

// A generation on its way to the store.
struct Committing {
    std::uint32_t generation = 0;
    Reason reason = Reason::interval;
    std::uint64_t frozen_us = 0;
    std::uint64_t image_bytes = 0;
    // NOLINTNEXTLINE(readability-redundant-member-init): GCC warns of aggregates without it
    std::vector<StepExit> exited{};
};

struct JobState {
    std::uint32_t job_id = 0; // for messages
    std::uint32_t restart_count = 0;
    std::uint32_t no_progress_limit = 0; // restores from one generation after which the job is held; 0 = none
    std::uint32_t last_generation = 0;   // highest number used
    Plan plan;
    // Why checkpoints are off for this job although it asked for them (broken policy, no key, …).
    std::optional<Error> unmanaged;
    bool never_saved = false; // and for the same reason no incarnation before this one had any

    // Its trees were started under an earlier daemon and their namespaces cannot be found again: they cannot
    // be dumped, only their end is awaited.
    bool orphaned = false;
    bool asks_doubt = false;              // effect::AskDoubt is under way
    std::map<std::uint64_t, bool> doubts; // sruns that wait for the next one: event::StepDoubted
    bool joins_nodes = false;             // its steps may run on several nodes
    bool in_allocation = false;           // of salloc: nothing can requeue or hold it

    std::map<TaskKey, TaskState> tasks;
    std::optional<Taking> taking;
    std::map<std::uint32_t, Committing> committing;

    bool ending = false;          // SIGTERM has arrived
    bool script_is_asked = false; // by the SIGTERM: at its shim, not at those of steps alone
    bool script_is_told = false;  // that a step has its SIGTERM
    bool final_wanted = false;    // and a final generation is to be taken
    bool final_tried = false;     // and its dump was started; it is not tried twice
    bool final_taken = false;     // and its images exist, the trees stand still
    bool ran_on = false;          // and a tree that should stand still since may have run
    std::optional<Cause> cause;   // known since
    bool can_requeue = false;     // likewise

    bool limit_waits = false; // the last checkpoint before the time limit, for the one under way
    bool standing = false;    // the trees stand still until a last one is saved and the job leaves
    Reason stands_for = Reason::time_limit; // or requeue, vacate
    std::uint32_t stood_at = 0; // the generation for which they stand still, or stood when they were ended
    std::uint32_t requeues = 0; // how often slurmctld was asked in this ending
    bool requeue_runs = false;  // slurmctld was asked to requeue the job, or to cancel a vacated one
    // It is being requeued without that node, "" = this one: its epilog waits, since the job must not be able
    // to start before the node is excluded.
    std::optional<std::string> leaves;
    bool constrains = false;     // policy tells kinds of processors apart (effect::Constrain)
    bool constraint_set = false; // or tried
    bool constraint_runs = false;
    bool may_leave = false;           // also for other troubles of the node than that it lacks something
    std::uint32_t saved = 0;          // newest generation from which the job would go on; 0 = none
    std::uint32_t restored_from = 0;  // by this incarnation; 0 = none
    bool on_demand_waits = false;     // somebody waits for an answer
    std::optional<Reason> asked_next; // is taken when the periodic generation under way is through
    bool switched_off = false;        // event::Switched
    bool interval_next = false;       // which is taken when a step that is about to start has started
    enum class Awaits : std::uint8_t { nothing, starts, starts_for_last } awaits = Awaits::nothing;
    std::uint32_t awaits_number = 0; // of effect::AwaitStarts
    // What the generation that this incarnation has come from has of steps, and has not been asked for yet.
    std::map<StepTask, std::optional<int>> expected;
    std::set<std::uint64_t> unfit; // sruns whose steps run without us
    std::set<std::uint64_t> over;  // sruns that have ended, of late: what is said of their steps is late
    bool is_held = false;          // its script runs, but a step of it cannot be restored
    bool completing = false;       // its end is being recorded
    std::string restore_error;     // of the newest attempt
    std::optional<Code> restore_code;
    std::optional<Failure> before;  // how the incarnation before had ended, if by a failure
    std::optional<Failure> failure; // of the first task that had one
    bool epilog_waits = false;
    bool said_unsaved = false;          // the job's comment in Slurm says that nothing is saved
    std::optional<Code> last_complaint; // a failure is said once, not at every interval
    std::string last_error;             // why the newest generation is none; empty = it is one
};

// Advances `job` by one event. Never fails: an event that does not fit the state has no effects.
Effects advance(JobState& job, const Event& event);

// True when nothing of the job is under way, so that its epilog may return.
bool is_quiet(const JobState& job);

// True while a task stays unstarted, or the script's srun untold, until the job is held.
bool is_to_be_held(const JobState& job);

// What is said of a job whose checkpoints are switched off (event::Switched).
Error switched_off(const JobState& job);

// Its program saves itself: nothing of the job is dumped.
bool is_app(const JobState& job);

// Taken because the job is about to end here.
bool is_last(Reason reason);

// Likewise, and it is for us to end it: its trees stand still until slurmctld has agreed.
bool leaves_by_us(Reason reason);

// Somebody has asked for it.
bool is_asked_for(Reason reason);

// Time between checkpoints: the shortest of the steps that run with one of their own, else the plan's.
Interval interval_of(const JobState& job);

// True while a task is about to start, or a step is only partly there: what would be taken now would be no
// whole. Whoever asks for a generation may also be faster than a shim that starts its task, or that comes
// back to a ckptd started anew.
bool is_coming(const JobState& job);

// True while a task is about to be restored.
bool is_starting(const JobState& job);

// Whether a generation that is due or asked for could be begun now: something runs, nothing else is being
// taken, and the job is not about to end.
bool can_take_generation(const JobState& job);

// True while a shim has been told to start its application and has not said that it runs. It may never do.
bool is_launching(const JobState& job);

// True while a last generation is taken or on its way: without it the job would go on from an older one, or
// from the beginning.
bool has_last_generation_under_way(const JobState& job);

} // namespace ckpt
