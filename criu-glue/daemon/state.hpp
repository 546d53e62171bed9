// SPDX-License-Identifier: GPL-2.0-or-later
// The life of one job on one node as a pure state machine: (state, event) -> effects. Every decision of the
// daemon about a job is here; nothing here touches a file, a process or a clock (docs/architecture.md).
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "failure.hpp"
#include "policy/resolve.hpp"
#include "result/result.hpp"

namespace ckpt {

struct TaskKey {
    std::uint32_t step_id = 0;
    std::uint32_t task_id = 0;
    auto operator<=>(const TaskKey&) const = default;
};

// Why Slurm is ending the job, as slurmctld says (spank/slurmctld); `unknown` when it does not answer in
// time.
enum class Cause : std::uint8_t {
    unknown,
    requeued,
    preempted,          // and requeued
    preempted_for_good, // PreemptMode=CANCEL
    timelimit,
    cancelled,
    running
};

enum class Reason : std::uint8_t { interval, on_demand, time_limit, forced_end };
const char* to_string(Reason reason);

// ---- events ----
namespace event {
struct TaskRegistered {
    TaskKey task;
};
// The shim asks what to start.
struct ShimArrived {
    TaskKey task;
};
// The store was asked for a generation to start from; `error` when it could not be asked, with EPIPE when a
// worker of ours has ended before it had answered.
struct AdoptEnded {
    TaskKey task;
    enum class Found : std::uint8_t { nothing, generation, completed, unusable } found = Found::nothing;
    std::optional<Error> error;
    std::uint32_t newest_generation = 0; // highest number ever used for this job
    std::uint32_t adopted_before = 0;    // incarnations in a row that started from the same generation
    std::optional<int> end_again; // the wait status of a job that slurmctld has started once more for nothing
    std::vector<std::string> skipped;
    std::uint32_t generation = 0;   // that was found
    LastEnd last_end{};             // of the incarnation before
    std::uint64_t memory_limit = 0; // of this one, bytes; 0 = none
};
struct RestoreEnded {
    TaskKey task;
    std::optional<Error> error;
    std::uint32_t incarnation = 0; // of the generation that was tried
    std::uint32_t generation = 0;
    std::string age;                     // "12 min"
    std::string node;                    // this node, as the job's output names it
    std::vector<std::string> complaints; // that the rollback has cut from the output
    std::uint32_t of_job = 0;            // whose generation it is, if it is another job's
    bool from_copy = false; // its images were those that had stayed on this node: the store's are others
};
struct ShimReturned { // its tree was started under an earlier daemon
    TaskKey task;
    bool term_delivered = false; // a SIGTERM has reached it meanwhile, whatever it was for
};
struct ShimAway { // its connection has closed, and it lives: it will come back, if it ever needs us
    TaskKey task;
};
struct TreeStarted { // the shim started the application natively
    TaskKey task;
};
struct IntervalElapsed {};
struct OnDemand {           // somebody entitled asks for a generation now
    bool is_awaited = true; // and waits for the answer
};
struct TermArrived { // Slurm's SIGTERM, held back by the shim
    TaskKey task;
};
struct CauseGraceElapsed {}; // slurmctld did not answer quickly: dump without waiting for it
struct CauseKnown {
    Cause cause = Cause::unknown;
    bool can_requeue = false; // slurmctld would take the job back
};
struct LimitNear {}; // the time for the last checkpoint before the time limit, as far as known here
struct LimitKnown {  // what slurmctld says of it
    enum class Limit : std::uint8_t {
        near,
        later,
        over
    } limit = Limit::near; // over: the job is ending already
    bool can_requeue = false;
};
struct RequeueEnded {
    std::optional<Error> error;
};
struct DumpEnded {
    TaskKey task;
    std::optional<Error> error;
    std::uint64_t frozen_us = 0;
    std::uint64_t image_bytes = 0;
};
struct CommitEnded {
    std::uint32_t generation = 0;
    std::optional<Error> error;
    std::uint64_t stored_bytes = 0;
};
struct TreeExited { // the application ended by itself
    TaskKey task;
    int wait_status = 0;
    MemoryFacts memory{};
};
struct CompletionRecorded {}; // or the failure
struct TaskGone {             // slurmstepd reaped the task, or its shim has ended
    TaskKey task;
    MemoryFacts memory{};
};
struct HoldEnded {
    std::string reason;
    std::optional<Error> error;
};
struct EpilogArrived {};
struct EpilogLimitReached {};
} // namespace event

using Event = std::variant<event::TaskRegistered, event::ShimArrived, event::AdoptEnded, event::RestoreEnded,
                           event::ShimReturned, event::ShimAway, event::TreeStarted, event::IntervalElapsed,
                           event::OnDemand, event::TermArrived, event::CauseGraceElapsed, event::CauseKnown,
                           event::LimitNear, event::LimitKnown, event::RequeueEnded, event::DumpEnded,
                           event::CommitEnded, event::TreeExited, event::CompletionRecorded, event::TaskGone,
                           event::HoldEnded, event::EpilogArrived, event::EpilogLimitReached>;

// ---- effects ----
namespace effect {
enum class Start : std::uint8_t { fresh, restored, held, unmanaged, ended, alone };
struct StartTask { // answers ShimArrived
    TaskKey task;
    Start start = Start::fresh;
    std::string line;
    int wait_status = 0; // of `ended`
};
struct WelcomeBack { // answers ShimReturned; `line`: what is not as before
    TaskKey task;
    std::string line;
};
struct HoldBackTerm { // "wait": the answer to SIGTERM takes a while
    TaskKey task;
};
struct RelayTerm {
    TaskKey task;
};
struct LetShimLeave {
    TaskKey task;
};
struct Say { // one line into the job's output
    std::string line;
};
struct Adopt { // before_* > 0: something older than that
    TaskKey task;
    std::uint32_t before_incarnation = 0;
    std::uint32_t before_generation = 0;
};
struct Restore {
    TaskKey task;
};
struct AskCause {};
struct ArmLimit {}; // LimitNear, in time for the last checkpoint before the time limit
struct AskLimit {};
struct RequeueJob {
    bool again = false; // an earlier attempt has failed: not at once
    bool now = false;   // it has waited
};
struct ArmInterval {}; // the next periodic checkpoint, by the plan's interval
struct Dump {
    TaskKey task;
    std::uint32_t generation = 0;
    Reason reason = Reason::interval;
    bool leave_stopped = false;
};
struct Commit {
    std::uint32_t generation = 0;
    Reason reason = Reason::interval;
    bool tree_was_stopped = false;
};
struct DiscardImages {
    std::uint32_t generation = 0;
    bool is_saved = false; // in the store: they may stay on the node for a restart
};
struct Stand { // its shim is to keep SIGCONT back, until ContinueTree
    TaskKey task;
};
struct ContinueTree {
    TaskKey task;
};
struct KillTree {
    TaskKey task;
};
struct RecordCompletion {
    int wait_status = 0;
};
struct RecordFailure {
    int wait_status = 0;
    Failure failure;
};
struct RecordStop { // nothing of the job has run on after it
    std::uint32_t generation = 0;
};
struct HoldJob {
    std::string reason;
    bool again = false; // an earlier attempt has failed: not at once
};
struct Comment { // for `scontrol show job`; may be left out
    std::string text;
    bool rarely = false; // not more often than the policy says
};
struct AnswerOnDemand {
    std::uint32_t generation = 0;
    std::optional<Error> error;
};
struct ReleaseEpilog {
    bool to_ask_again = false; // its time is over, but what it waits for must not be given up
};
} // namespace effect

using Effect =
    std::variant<effect::StartTask, effect::WelcomeBack, effect::HoldBackTerm, effect::RelayTerm,
                 effect::LetShimLeave, effect::Say, effect::Adopt, effect::Restore, effect::AskCause,
                 effect::ArmLimit, effect::AskLimit, effect::RequeueJob, effect::ArmInterval, effect::Dump,
                 effect::Commit, effect::DiscardImages, effect::Stand, effect::ContinueTree, effect::KillTree,
                 effect::RecordCompletion, effect::RecordFailure, effect::RecordStop, effect::HoldJob,
                 effect::Comment, effect::AnswerOnDemand, effect::ReleaseEpilog>;
using Effects = std::vector<Effect>;

// ---- state ----

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
};

// A generation whose images are being taken: all tasks or nothing.
struct Taking {
    std::uint32_t generation = 0;
    Reason reason = Reason::interval;
    bool leave_stopped = false;
    std::set<TaskKey> missing; // tasks whose dump has not ended
    std::optional<Error> error;
    std::uint64_t frozen_us = 0;
    std::uint64_t image_bytes = 0;
};

// A generation on its way to the store.
struct Committing {
    std::uint32_t generation = 0;
    Reason reason = Reason::interval;
    std::uint64_t frozen_us = 0;
    std::uint64_t image_bytes = 0;
};

struct JobState {
    std::uint32_t job_id = 0; // for messages
    Plan plan;
    std::uint32_t restart_count = 0;
    // Why checkpoints are off for this job although it asked for them (broken policy, no key, …).
    std::optional<Error> unmanaged;
    std::uint32_t no_progress_limit = 0; // restores from one generation after which the job is held; 0 = none
    bool never_saved = false;            // and for the same reason no incarnation before this one had any

    // Its trees were started under an earlier daemon and their namespaces cannot be found again: they cannot
    // be dumped, only their end is awaited.
    bool orphaned = false;

    std::map<TaskKey, TaskState> tasks;
    std::optional<Taking> taking;
    std::map<std::uint32_t, Committing> committing;
    std::uint32_t last_generation = 0; // highest number used

    bool ending = false;        // SIGTERM has arrived
    bool final_wanted = false;  // and a final generation is to be taken
    bool final_tried = false;   // and its dump was started; it is not tried twice
    bool final_taken = false;   // and its images exist, the trees stand still
    std::optional<Cause> cause; // known since
    bool can_requeue = false;   // likewise

    bool limit_waits = false;   // the last checkpoint before the time limit, for the one under way
    bool standing = false;      // the trees stand still until that is saved and the job requeued
    std::uint32_t stood_at = 0; // the generation for which they stand still, or stood when they were ended
    std::uint32_t requeues = 0; // how often slurmctld was asked in this ending
    bool requeue_runs = false;  // slurmctld was asked to requeue the job
    std::uint32_t saved = 0;    // newest generation from which the job would go on; 0 = none
    std::uint32_t restored_from = 0; // by this incarnation; 0 = none
    bool on_demand_waits = false;    // somebody waits for an answer
    bool on_demand_next = false;     // which is taken when the periodic generation under way is through
    bool completing = false;         // its end is being recorded
    std::string restore_error;       // of the newest attempt
    std::optional<Failure> before;   // how the incarnation before had ended, if by a failure
    std::optional<Failure> failure;  // of the first task that had one
    bool epilog_waits = false;
    std::optional<Code> last_complaint; // a failure is said once, not at every interval
};

// Advances `job` by one event. Never fails: an event that does not fit the state has no effects.
Effects advance(JobState& job, const Event& event);

// True when nothing of the job is under way, so that its epilog may return.
bool is_quiet(const JobState& job);

// True while a task stays unstarted until its job is held.
bool has_held_task(const JobState& job);

// Taken because the job is about to end here.
bool is_last(Reason reason);

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
