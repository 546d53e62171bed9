// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "result/result.hpp"
#include "wire/messages.hpp"

namespace ckpt::cli {

// What ckptd says about a job that runs on this node, printed.
Status explain(std::uint32_t job_id, bool json);

// An Explanation as tables, one per section, and as one JSON object in one line.
std::string explanation_text(const wire::Explanation& explanation);
std::string explanation_json(const wire::Explanation& explanation);

} // namespace ckpt::cli
