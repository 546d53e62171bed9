// SPDX-License-Identifier: GPL-2.0-or-later
// What both modes of ckpt-init share. Only libc: no allocation, no iostreams.
#pragma once

#include <csignal>
#include <cstdint>

namespace ckpt {

constexpr int k_failed = 127; // exit status when ckpt-init itself cannot do its work

// Blocks every signal, so that none can end or be lost on a process that only waits for them.
void block_all_signals();

// SIGCHLD as by default: an inherited SIG_IGN would make the kernel reap our children unseen (wait(2)).
void default_sigchld();

// 0, 1 and 2 become /dev/null.
void detach_stdio();

// Parses all of `text` as a number in `base`.
bool parse_number(const char* text, int base, std::uint64_t& value);

} // namespace ckpt
