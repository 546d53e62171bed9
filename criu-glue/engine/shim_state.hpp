// SPDX-License-Identifier: GPL-2.0-or-later
// What a shim keeps for its tree (wire/shim_state.hpp), carried from one incarnation to the next. Nobody here
// looks into it.
#pragma once

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

// `state`: the descriptor that a user's process has named. Only a file in memory is read, whose file server
// cannot make us wait; anything else is Code::dump_refused, and so is one that is too large.
Status save_shim_state(int state, int images);
// What the images hold of it, in a file in memory of our own; none when they hold none.
Result<Fd> load_shim_state(int images);

} // namespace ckpt
