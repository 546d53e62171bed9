// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

namespace ckpt {

// False while signals wait for the process, or it is at work on one: true of one that waits for the next, as
// with sigwaitinfo(2). True also when it has ended.
bool has_handled_its_signals(pid_t pid);

} // namespace ckpt
