// SPDX-License-Identifier: GPL-2.0-or-later
// Messages between our processes: what decodes is what encodes to the same bytes, and nothing else decodes.
#include "fuzz.hpp"
#include "wire/app_messages.hpp"
#include "wire/engine_messages.hpp"
#include "wire/link_messages.hpp"
#include "wire/messages.hpp"
#include "wire/shim_state.hpp"
#include "wire/step_messages.hpp"
#include "wire/store_messages.hpp"

using namespace ckpt;
using namespace ckpt::wire;

namespace {

template <typename... M>
struct Messages {};
using All =
    Messages<AppPlace, AskApp, AppAsked, AppAnswered, AppDirRequest, AppDirResult, DumpRequest, DumpStopped,
             DumpTaken, DumpGoOn, DumpResult, RestoreRequest, UndoRequest, UndoResult, RestoreResult,
             RestoreDone, ConnectRequest, AcceptRequest, LinkResult, JobOpen, TaskRegister, StepTaskRegister,
             AllocationTaskRegister, TaskExit, JobEpilog, Reply, ShimHello, TaskHello, Settle, Settled,
             StepDoubt, StepsKnown, StepOver, ShimStart, TreeStarted, ShimTerm, ShimOrder, TreeExited,
             ListRequest, PruneCommand, CreateRequest, AskFor, Answer, ExplainRequest, Explanation, ShimState,
             StepCommand, StepStart, StepSignal, StepAgain, StepEnded, WriterRequest, WriterResult,
             CommitRequest, CommitReady, CommitGoOn, CommitResult, SealRequest, SealResult, AdoptRequest,
             AdoptResult, PartRequest, PartResult, CompleteRequest, CompleteResult, InspectRequest,
             InspectResult, PruneRequest, PruneResult>;

template <typename M>
void one(std::string_view bytes) {
    const auto message = decode<M>(bytes);
    if (!message) return fuzz::require_one_line(one_line(message.error()));
    const std::string again = encode(*message);
    const auto twice = decode<M>(again); // flags may have been any number but 0
    fuzz::require(twice.has_value() && encode(*twice) == again);
}

template <typename... M>
void all(std::string_view bytes, Messages<M...> /*types*/) {
    (one<M>(bytes), ...);
}

} // namespace

FUZZ_TARGET(std::string_view input) {
    all(input, All{});
}
