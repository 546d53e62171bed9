// SPDX-License-Identifier: GPL-2.0-or-later
// What is done about it: the output of a job's state machine (state.hpp), carried out by effects*.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "events.hpp"
#include "failure.hpp"
#include "result/result.hpp"

namespace ckpt {

namespace effect {
enum class Start : std::uint8_t { fresh, restored, held, unmanaged, ended, alone };
// The wait status of a task that was to be restored where nothing can hold its job.
constexpr int k_not_started = 1 << 8;
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
    bool at_will = false; // its user causes it as often as they like
};
struct Adopt { // before_* > 0: something older than that
    TaskKey task;
    std::uint32_t before_incarnation = 0;
    std::uint32_t before_generation = 0;
};
struct AskHistory {
    TaskKey task;
    bool again = false; // slurmctld did not answer: not at once
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
struct CancelJob {}; // all of it is saved: CancelEnded
// The next periodic checkpoint, by interval_of().
struct ArmInterval {
    bool not_later = false; // than it is due already
};
struct Dump {
    TaskKey task;
    std::uint32_t generation = 0;
    Reason reason = Reason::interval;
    bool leave_stopped = false;
    bool together = false;        // with others: it waits for them before its tree may run on
    std::optional<Error> refused; // nothing is dumped, for that reason
};
struct OpenAppDir { // of a job whose program saves itself: AppDirReady
    TaskKey task;
};
// In place of Dump, where the program saves itself: AppAsked, AppAnswered, or DumpEnded with an error.
struct AskApp {
    TaskKey task;
    std::uint32_t generation = 0;
    Reason reason = Reason::interval;
    bool is_last = false; // the job ends here
    int signal = 0;
    std::optional<Error> refused; // it is not asked, for that reason
};
struct DumpGoOn { // answers DumpStopped and DumpTaken
    TaskKey task;
    std::optional<Error> give_up;
};
struct Settle { // bring to rest what is on its way between the trees and Slurm; SettleEnded
    std::uint32_t generation = 0;
};
struct Proceed {};   // the shims pass on again what Settle has stopped
struct TellJobEnds { // the script's shim: a step has its SIGTERM, or that was not the job's end
    bool ends = true;
};
struct FetchPart { // of the adopted generation: PartFetched
    TaskKey task;
};
struct ForgetTask {
    TaskKey task;
};
struct ClearStep { // the script may know that this srun has failed
    std::uint64_t stand_in = 0;
};
struct AskDoubt { // slurmctld, whether the job is ending: DoubtKnown
    std::uint64_t stand_in = 0;
    bool has_signal = false;
};
struct ForgetStep { // this srun has ended
    std::uint64_t stand_in = 0;
};
struct AwaitStarts { // a generation waits for tasks that start: StartsOverdue after some seconds
    std::uint32_t number = 0;
    bool is_last = false; // of the job here: Slurm does not wait long
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
    bool stops = false; // and to stop the tree: of a program that saves itself nobody else does
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
// Requeued without that node, "" = this one; held where it can have no other. Else as HoldJob; HoldEnded.
struct RequeueElsewhere {
    std::string reason;
    std::string node;
    bool again = false;
};
struct Constrain {}; // the requeued job to nodes like this one, by what policy lists: ConstraintSet
struct Comment {     // for `scontrol show job`; may be left out
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
                 effect::LetShimLeave, effect::Say, effect::Adopt, effect::AskHistory, effect::Restore,
                 effect::AskCause, effect::ArmLimit, effect::AskLimit, effect::RequeueJob, effect::CancelJob,
                 effect::ArmInterval, effect::Dump, effect::DumpGoOn, effect::Settle, effect::Proceed,
                 effect::TellJobEnds, effect::FetchPart, effect::ForgetTask, effect::ClearStep,
                 effect::AskDoubt, effect::ForgetStep, effect::AwaitStarts, effect::Commit,
                 effect::DiscardImages, effect::Stand, effect::ContinueTree, effect::KillTree,
                 effect::RecordCompletion, effect::RecordFailure, effect::RecordStop, effect::HoldJob,
                 effect::RequeueElsewhere, effect::Constrain, effect::Comment, effect::AnswerOnDemand,
                 effect::ReleaseEpilog, effect::OpenAppDir, effect::AskApp>;
using Effects = std::vector<Effect>;

} // namespace ckpt
