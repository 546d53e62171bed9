// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace ckpt::testing {

// A program that has a handler for a signal of glibc's own, which criu would leave open while it restores.
// The handler appends its effective capabilities, 16 hex digits, to `log`. Says "ready" and never ends.
int catch_signal_32(const char* log);

} // namespace ckpt::testing
