// SPDX-License-Identifier: GPL-2.0-or-later
// Plays ckptd: starts a ckpt-engine, sends it one request, takes its answer.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "result/result.hpp"
#include "task.hpp"
#include "wire/engine_messages.hpp"

namespace ckpt::testing {

constexpr const char* k_task_name = "7-0123abcd-1-0";

// What a dump that waits is told, once it is asked for; nothing: the channel is closed.
using GateAnswer = std::optional<wire::Outcome>;

struct DumpCall {
    bool leave_stopped = false;
    std::uint32_t timeout_ms = 30000;
    std::uint64_t ghost_limit = 64 << 20;
    std::vector<std::string> node_local;
    std::uint64_t node_local_limit = 64 << 20;
    wire::Files files = wire::Files::append;
    std::uint64_t copy_limit = 64 << 20;
    std::uint64_t tail_limit = 64 << 20;
    bool output_is_emptied = false;                 // as with sbatch --open-mode=truncate
    std::chrono::milliseconds kill_engine_after{0}; // 0 = never
    int state = -1;                                 // what the shim keeps for its tree
    bool together = false;
    std::function<GateAnswer()> at_stopped; // the dump has said DumpStopped
    std::function<GateAnswer()> at_taken;
};
Result<wire::DumpResult> call_dump(const Task& task, int images, const DumpCall& options = {});

struct RestoreCall {
    bool tree_was_stopped = false;
    std::uint32_t timeout_ms = 30000;
    std::string script;
    wire::UserIds user = testing::user();
    wire::Files files = wire::Files::append;
    bool ignore_changed = false;
    std::uint64_t tail_limit = 64 << 20;
    std::string task_name = k_task_name;
    std::chrono::milliseconds kill_engine_after{0};
    std::function<bool()> kill_engine_when; // asked all the time
    Fd* state = nullptr;                    // takes what the shim of the dumped tree had kept
};
// On success `task` owns the restored tree.
Result<wire::RestoreResult> call_restore(Task& task, int images, int tails, const RestoreCall& options = {});

// Undoes what a restore that was killed has left beside the user's files.
Status call_undo(int images, int tails, const RestoreCall& options = {});

} // namespace ckpt::testing
