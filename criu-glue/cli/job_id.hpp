// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "result/result.hpp"

namespace ckpt::cli {

// For CLI11: "" or what is wrong. Slurm's name of an array's element, 8_2, is not a number.
std::string is_job_id(const std::string& text);

// The job that a command inside a job means when it names none (0); Code::not_found outside of one.
// `command`: for the hint.
Result<std::uint32_t> job_or_own(std::uint32_t job_id, const std::string& command);

} // namespace ckpt::cli
