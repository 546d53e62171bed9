// SPDX-License-Identifier: GPL-2.0-or-later
// What a tree holds of which a restore makes a new one: memory and files without a name, FIFOs, what lies in
// the node's own directories. Each tree of a job is restored by itself, so two of them would get two.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "os/creds.hpp"
#include "result/result.hpp"
#include "wire/engine_messages.hpp"

namespace ckpt {

// Of a tree that stands still. `roots`: the node's own directories. Code::dump_refused when there are more
// than a message holds.
Result<std::vector<wire::HeldInode>> held_inodes(Root rights, pid_t root,
                                                 const std::vector<std::string>& roots);

} // namespace ckpt
