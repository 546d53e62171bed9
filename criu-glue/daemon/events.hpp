// SPDX-License-Identifier: GPL-2.0-or-later
// What happens to a job: the input of its state machine (state.hpp).
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
#include "result/result.hpp"
#include "step_facts.hpp"

namespace ckpt {

struct TaskKey {
    std::uint32_t step_id = 0;
    std::uint32_t task_id = 0;
    auto operator<=>(const TaskKey&) const = default;
};

// A task of a step in every incarnation: the srun of the script that has started it, and its number.
struct StepTask {
    std::uint64_t stand_in = 0;
    std::uint32_t task_id = 0;
    auto operator<=>(const StepTask&) const = default;
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

// requeue, vacate: somebody asks for a generation with which the job is to leave its nodes.
enum class Reason : std::uint8_t { interval, on_demand, time_limit, forced_end, requeue, vacate };
const char* to_string(Reason reason);

namespace event {
struct TaskRegistered {
    TaskKey task;
    std::uint64_t stand_in = 0; // of the srun that has asked for its step; 0 = the batch script
    StepFacts step{}; // NOLINT(readability-redundant-member-init): GCC warns of aggregates without it
    bool is_taken_over = false; // it was registered with an earlier daemon
};
// The shim asks what to start.
struct ShimArrived {
    TaskKey task;
    bool gated = false; // its dumps wait for the rest of the job (DumpStopped)
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
    // What it has of steps: nothing = images, else how the task had ended.
    // NOLINTNEXTLINE(readability-redundant-member-init): GCC warns of aggregates without it
    std::map<StepTask, std::optional<int>> steps{};
};
// The images of a step's task are here, or cannot be had.
struct PartFetched {
    TaskKey task;
    std::optional<Error> error;
    std::string node{}; // that it was for; NOLINT(readability-redundant-member-init): as above
};
// What the job's comment in Slurm says of its checkpoints; empty if nothing.
struct HistoryKnown {
    TaskKey task;
    std::string comment;
    std::optional<Error> error; // slurmctld does not answer
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
    bool gated = false;
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
    Reason reason = Reason::on_demand;
    bool by_signal = false; // --checkpoint-signal, which each of its tasks gets
};
struct Switched { // by somebody entitled: no generations until they are switched on again
    bool on = true;
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
struct CancelEnded {
    std::optional<Error> error;
};
struct DumpEnded {
    TaskKey task;
    std::optional<Error> error;
    std::uint64_t frozen_us = 0;
    std::uint64_t image_bytes = 0;
    std::uint32_t generation = 0; // 0 = the one under way
};
struct DumpStopped { // its tree stands still, and it waits for DumpGoOn
    TaskKey task;
    std::uint32_t generation = 0;
    // It cannot be restored beside another tree of the job.
    // NOLINTNEXTLINE(readability-redundant-member-init): GCC warns of aggregates without it
    std::optional<Error> error{};
};
struct SettleEnded { // nothing of the job is on its way from or to a tree, or that cannot be reached
    std::uint32_t generation = 0;
    std::optional<Error> error;
};
struct DumpTaken { // its images are complete, and it waits for DumpGoOn
    TaskKey task;
    std::uint32_t generation = 0;
};
struct RunsWithoutUs { // its shim has not said hello, and runs the application, as it does when it cannot
                       // reach us
    TaskKey task;
};
struct StepUnfit { // a step of this srun runs without us: there are too many tasks
    std::uint64_t stand_in = 0;
};
struct StepOver { // its srun has ended, and the script knows how
    std::uint64_t stand_in = 0;
};
struct StepDoubted { // this srun has failed, and its stand-in does not know yet
    std::uint64_t stand_in = 0;
    bool has_signal = false; // of the script's
};
struct DoubtKnown { // what slurmctld says of the job then
    std::uint64_t stand_in = 0;
    bool has_signal = false;
    Cause cause = Cause::unknown;
};
struct StepsKnown { // the script's shim: the stand-ins that there are
    std::set<std::uint64_t> stand_ins;
};
struct StartsOverdue { // answers effect::AwaitStarts
    std::uint32_t number = 0;
};
// The directory of a job whose program saves itself is there, or cannot be had.
struct AppDirReady {
    TaskKey task;
    std::uint32_t generation = 0; // the newest that is noted there; 0 = none
    // NOLINTNEXTLINE(readability-redundant-member-init): GCC warns of aggregates without it
    std::optional<Error> error{};
};
struct AppAsked { // the processes of a task that handle the signal have it
    TaskKey task;
    std::uint32_t generation = 0;
    std::uint32_t processes = 0;
    std::string obstacle; // none has got it, for that reason
    // Sruns whose steps are told by those that have it.
    // NOLINTNEXTLINE(readability-redundant-member-init): GCC warns of aggregates without it
    std::vector<std::uint64_t> covered{};
};
struct AppAnswered {
    TaskKey task;
    std::uint32_t generation = 0;
    enum class How : std::uint8_t { ended, marked, silent } how = How::ended;
    std::uint32_t waited_s = 0; // of `silent`
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
    // NOLINTNEXTLINE(readability-redundant-member-init): GCC warns of aggregates without it
    std::optional<int> wait_status{}; // as slurmstepd says
};
struct HoldEnded {
    std::string reason;
    std::optional<Error> error;
};
struct ConstraintSet {}; // or not: answers effect::Constrain
struct EpilogArrived {};
struct EpilogLimitReached {};
} // namespace event

using Event =
    std::variant<event::TaskRegistered, event::ShimArrived, event::AdoptEnded, event::HistoryKnown,
                 event::RestoreEnded, event::ShimReturned, event::ShimAway, event::TreeStarted,
                 event::IntervalElapsed, event::OnDemand, event::Switched, event::TermArrived,
                 event::CauseGraceElapsed, event::CauseKnown, event::LimitNear, event::LimitKnown,
                 event::RequeueEnded, event::CancelEnded, event::DumpEnded, event::DumpStopped,
                 event::SettleEnded, event::DumpTaken, event::PartFetched, event::StepOver, event::StepUnfit,
                 event::StepDoubted, event::DoubtKnown, event::StepsKnown, event::StartsOverdue,
                 event::CommitEnded, event::TreeExited, event::CompletionRecorded, event::TaskGone,
                 event::HoldEnded, event::ConstraintSet, event::EpilogArrived, event::EpilogLimitReached,
                 event::AppDirReady, event::AppAsked, event::AppAnswered, event::RunsWithoutUs>;

} // namespace ckpt
