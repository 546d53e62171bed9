// SPDX-License-Identifier: GPL-2.0-or-later
// What a shim keeps for its tree (wire/shim_state.hpp), carried from one incarnation to the next. Nobody here
// looks into it.
#pragma once

#include "result/result.hpp"

namespace ckpt {

// `state`: the descriptor that a user's process has named. Only a file in memory is read or written, whose
// file server cannot make us wait; anything else is Code::dump_refused, and so is one that is too large.
Status save_shim_state(int state, int images);
// What the images hold of it replaces the content of `state`; nothing when they hold none.
Status put_back_shim_state(int images, int state);

} // namespace ckpt
