// SPDX-License-Identifier: GPL-2.0-or-later
// What `sckpt restart` goes on from, and what it submits. Decided from what ckptd and slurmctld say.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fetch.hpp"
#include "result/result.hpp"
#include "slurm_job.hpp"

namespace ckpt::cli {

// "4711@3" as {4711, 3}; without @ the generation is 0.
struct RestartFrom {
    std::uint32_t job_id = 0;
    std::uint32_t generation = 0;
};
Result<RestartFrom> restart_from(const std::string& text);
std::string to_string(const RestartFrom& from);

// Code::not_permitted when the job is somebody else's: slurmctld gives root and operators everybody's script,
// and it would run as the caller. `owner`: its user's name, or # and its number. `arguments`: of sckpt, for
// the hint.
Status check_own(const SlurmJob& job, std::uint32_t caller, const std::string& owner,
                 const std::vector<std::string>& arguments);

// Code::busy when the job has not ended.
Status check_ended(const SlurmJob& job);

// Whether one of `found`, the listing of the job, can be gone on from. Code::not_found, or why the newest one
// in question does not verify.
Status check_usable(const RestartFrom& from, const std::vector<Json>& found);

// Every job that has claimed the job of the listing.
std::vector<std::uint32_t> claimants_in(const std::vector<Json>& found);

// sbatch's arguments, `given` by the user last. Of an array's element only that one is submitted: the
// script's own --array would start them all.
std::vector<std::string> sbatch_arguments(const RestartFrom& from, const std::string& dir,
                                          const SlurmJob& job, const std::vector<std::string>& given);

// What ends a here-document that has `script` in it: a word that is none of its lines.
std::string end_word(const std::string& script);

// As a shell reads it as one word.
std::string quoted(const std::string& word);

} // namespace ckpt::cli
