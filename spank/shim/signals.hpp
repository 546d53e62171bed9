// SPDX-License-Identifier: GPL-2.0-or-later
// The signals that Slurm, the user or anyone sends to the task arrive at the shim, and are read from a
// descriptor.
#pragma once

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>

#include "os/fd.hpp"
#include "result/result.hpp"
#include "wire/init_protocol.hpp"

namespace ckpt {

// Blocks every signal and returns the mask that was in force. Dispositions stay as they are: the application
// inherits them. A blocked signal reaches the descriptor even when it is ignored.
sigset_t block_all_signals();

// Readable whenever one of `signals` is pending.
Result<Fd> signal_descriptor(const sigset_t& signals);
sigset_t every_signal();
sigset_t one_signal(int signal);

// The next signal that somebody sent; nothing when none is pending. What the kernel tells us about ourselves
// (a child ended, a limit was reached) is not for the application and is skipped.
std::optional<int> next_sent_signal(int descriptor);

// As `ckpt-init run --mask` takes it.
std::string mask_as_hex(const sigset_t& mask);

// Hands a signal to ckpt-init with its scope. False when the tree is gone.
bool relay(int tree_pidfd, int signal, wire::SignalScope scope);

// True if the task would end by `signal` at once: its disposition was inherited from slurmstepd.
bool is_default_or_handled(int signal);

// Milliseconds of the monotonic clock.
std::int64_t now_ms();

} // namespace ckpt
