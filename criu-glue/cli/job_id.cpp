// SPDX-License-Identifier: GPL-2.0-or-later
#include "job_id.hpp"

#include <cstdlib>

namespace ckpt::cli {

std::string is_job_id(const std::string& text) {
    if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos) return {};
    return text + " is not a job id; for an element of an array: the number that `sckpt list` or "
                  "`squeue -o %A` shows";
}

Result<std::uint32_t> job_or_own(std::uint32_t job_id, const std::string& command) {
    if (job_id != 0) return job_id;
    const char* own = std::getenv("SLURM_JOB_ID"); // NOLINT(concurrency-mt-unsafe): one thread
    if (own != nullptr) job_id = static_cast<std::uint32_t>(std::strtoul(own, nullptr, 10));
    if (job_id == 0) return fail(Code::not_found, "which job?", "sckpt " + command + " JOBID");
    return job_id;
}

} // namespace ckpt::cli
