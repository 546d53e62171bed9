// SPDX-License-Identifier: GPL-2.0-or-later
#include "job_id.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "policy/text.hpp"
#include "slurm_job.hpp"

namespace ckpt::cli {

namespace {

bool is_number(const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

bool is_possible(const std::string& digits) {
    std::uint32_t id = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    return parsed.ec == std::errc() && id != 0;
}

} // namespace

Result<std::string> number_of_job(const std::string& text) {
    if (is_number(text)) {
        if (is_possible(text)) return text;
        return fail(Code::option_value, quote(text) + " is not a job id", "see `sckpt list`");
    }
    const std::size_t line = text.find('_');
    if (line == std::string::npos || !is_number(text.substr(0, line)) || !is_number(text.substr(line + 1)))
        return fail(Code::option_value, quote(text) + " is not a job id", "see `sckpt list`");
    if (const auto job = ask_slurm(text)) return std::to_string(job->id);
    return fail(Code::option_value, "slurmctld does not know " + text + ", or no more",
                "name the element of the array by the number that `sckpt list` or `squeue -o %A` shows");
}

std::string to_job_id(std::string& text) {
    const auto number = number_of_job(text);
    if (!number) return number.error().what + "; " + number.error().hint;
    text = *number;
    return {};
}

Result<std::uint32_t> job_or_own(std::uint32_t job_id, const std::string& command) {
    if (job_id != 0) return job_id;
    const char* own = std::getenv("SLURM_JOB_ID"); // NOLINT(concurrency-mt-unsafe): one thread
    if (own != nullptr) job_id = static_cast<std::uint32_t>(std::strtoul(own, nullptr, 10));
    if (job_id == 0)
        return fail(Code::not_found, "outside of a job the job has to be named",
                    "sckpt " + command + " JOBID");
    return job_id;
}

} // namespace ckpt::cli
