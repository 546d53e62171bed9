// SPDX-License-Identifier: GPL-2.0-or-later
// The directory of a job whose program saves itself (docs/app.md): the user's own, the same in every
// incarnation. What we note there is the user's word to the user's own job, and worth no more.
#pragma once

#include <cstdint>

#include "result/result.hpp"
#include "wire/app_messages.hpp"

namespace ckpt {

// As the user; `user_dir` is theirs in the store. Returns what is noted there after it; 0 = nothing that
// could be read.
Result<std::uint32_t> serve_app_dir(int user_dir, const wire::AppDirRequest& request);

} // namespace ckpt
