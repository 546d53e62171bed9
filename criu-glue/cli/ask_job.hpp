// SPDX-License-Identifier: GPL-2.0-or-later
// Asking for something to be done to a job, wherever it runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "result/result.hpp"
#include "wire/messages.hpp"

namespace ckpt::cli {

struct AskOutcome {
    std::uint32_t job_id = 0; // the job's own number
    std::uint32_t generation = 0;
    bool was_restored = false; // the caller has come from that generation, maybe long after it had asked
};

// What is to be said when the ckptd of this node does not know the job. If it runs on another node,
// `command`, the words of this command with the job's id, is started there instead, and this does not return.
Error on_its_node(std::uint32_t job_id, const std::vector<std::string>& command, const Error& here);

// Asks the ckptd of this node, and waits until it is done; also from inside the job, where the caller is
// dumped while it waits. When the job runs on another node, this program is started there with srun in place
// of this process: then it does not return. Code::not_found when there is no such job of the caller's.
// `job_id` 0: of the job around us.
Result<AskOutcome> ask_of_job(std::uint32_t job_id, wire::Ask ask, const char* command);

// A sckpt of its own for each of several jobs, one after the other; the highest of their exit statuses.
Result<int> ask_each(const std::vector<std::uint32_t>& jobs, const char* command);

} // namespace ckpt::cli
