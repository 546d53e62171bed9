// SPDX-License-Identifier: GPL-2.0-or-later
// Every message between our processes.
#pragma once

#include "wire/app_messages.hpp"
#include "wire/engine_messages.hpp"
#include "wire/link_messages.hpp"
#include "wire/messages.hpp"
#include "wire/shim_state.hpp"
#include "wire/step_messages.hpp"
#include "wire/store_messages.hpp"

namespace ckpt::fuzz {

template <typename... M>
struct Messages {};

using AllMessages =
    Messages<wire::AppPlace, wire::AskApp, wire::AppAsked, wire::AppAnswered, wire::AppDirRequest,
             wire::AppDirResult, wire::DumpRequest, wire::DumpStopped, wire::DumpTaken, wire::DumpGoOn,
             wire::DumpResult, wire::RestoreRequest, wire::UndoRequest, wire::UndoResult, wire::RestoreResult, wire::RestoreDone,
             wire::ConnectRequest, wire::AcceptRequest, wire::LinkResult, wire::JobOpen, wire::TaskRegister,
             wire::StepTaskRegister, wire::AllocationTaskRegister, wire::TaskExit, wire::JobEpilog,
             wire::Reply, wire::ShimHello, wire::TaskHello, wire::Settle, wire::Settled, wire::StepDoubt,
             wire::StepCleared, wire::StepsKnown, wire::StepOver, wire::ShimStart, wire::TreeStarted,
             wire::ShimTerm, wire::ShimOrder, wire::TreeExited, wire::ListRequest, wire::PruneCommand,
             wire::CreateRequest, wire::AskFor, wire::Answer, wire::ExplainRequest, wire::Explanation,
             wire::ShimState, wire::StepCommand, wire::StepStart, wire::StepSignal, wire::StepAgain,
             wire::StepEnded, wire::WriterRequest, wire::WriterResult, wire::CommitRequest, wire::CommitReady,
             wire::CommitGoOn, wire::CommitResult, wire::SealRequest, wire::SealResult, wire::AdoptRequest,
             wire::AdoptResult, wire::PartRequest, wire::PartResult, wire::CompleteRequest,
             wire::CompleteResult, wire::InspectRequest, wire::InspectResult, wire::PruneRequest,
             wire::PruneResult>;

} // namespace ckpt::fuzz
