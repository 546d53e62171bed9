// SPDX-License-Identifier: GPL-2.0-or-later
// Work on the user's files, done by a forked child that has become the user for good.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "os/creds.hpp"
#include "result/result.hpp"

namespace ckpt {

// Runs `work` in a child that has entered `mount_ns` (-1 = stays) and dropped to `user`; returns the text it
// made. A child that fails or takes longer than `limit` (a file server that hangs) is an error.
Result<std::string> as_user(const JobUser& user, int mount_ns, std::chrono::milliseconds limit,
                            const std::function<Result<std::string>()>& work);

} // namespace ckpt
