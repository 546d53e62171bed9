// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <string>

#include "result/result.hpp"
#include "wire/messages.hpp"

namespace ckpt {

// Slurm waits for our hooks; a daemon that is busy or gone must not be felt.
constexpr std::chrono::milliseconds k_ckptd_limit{1000};

// One message to ckptd and its Reply. A Reply that reports a failure is an error here.
Result<wire::Reply> ask_ckptd(const std::string& message, std::chrono::milliseconds limit = k_ckptd_limit);

} // namespace ckpt
