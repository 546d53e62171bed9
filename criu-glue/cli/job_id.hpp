// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "result/result.hpp"

namespace ckpt::cli {

// The number in `text`: itself, or for the name of an array's element, 74_3, what slurmctld says it is.
// Code::option_value tells where to find it when slurmctld does not know the element (any more).
Result<std::string> number_of_job(const std::string& text);

// The same for CLI11: replaces `text`, and returns "" or what is wrong.
std::string to_job_id(std::string& text);

// The job that a command inside a job means when it names none (0); Code::not_found outside of one.
// `command`: for the hint.
Result<std::uint32_t> job_or_own(std::uint32_t job_id, const std::string& command);

} // namespace ckpt::cli
