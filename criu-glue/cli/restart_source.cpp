// SPDX-License-Identifier: GPL-2.0-or-later
#include "restart_source.hpp"

#include <algorithm>
#include <array>

#include "policy/values.hpp"

namespace ckpt::cli {

namespace {

bool is_one_of(const std::string& state, std::initializer_list<const char*> states) {
    return std::ranges::find(states, state) != states.end();
}

} // namespace

Result<RestartFrom> restart_from(const std::string& text) {
    CKPT_TRY(const Restore restore, parse_restore(text));
    if (restore.kind != Restore::Kind::job)
        return fail(Code::option_value, text + " is neither JOBID nor JOBID@GENERATION", "see `sckpt list`");
    return RestartFrom{restore.job_id, restore.generation};
}

std::string to_string(const RestartFrom& from) {
    return std::to_string(from.job_id) +
           (from.generation != 0 ? "@" + std::to_string(from.generation) : std::string());
}

Status check_own(const SlurmJob& job, std::uint32_t caller, const std::string& owner,
                 const std::vector<std::string>& arguments) {
    if (job.uid == caller) return {};
    std::string command = "sudo -u " + quoted(owner) + " sckpt";
    for (const std::string& argument : arguments)
        command += " " + quoted(argument);
    return fail(Code::not_permitted,
                "job " + std::to_string(job.id) + " is " + owner + "'s, and would be submitted as yours",
                command);
}

Status check_ended(const SlurmJob& job) {
    const std::string number = std::to_string(job.id);
    if (is_one_of(job.state, {"pending", "requeue", "preempted"}))
        return fail(Code::busy, "job " + number + " is pending and goes on from its checkpoint by itself",
                    "if it is held: scontrol release " + number);
    if (is_one_of(job.state, {"running", "suspended"}))
        return fail(Code::busy, "job " + number + " is " + job.state,
                    "scontrol requeue " + number +
                        " starts it again from its last checkpoint; or scancel it first");
    if (is_one_of(job.state, {"completing"}))
        return fail(Code::busy, "job " + number + " is just ending", "try again in a moment");
    return {};
}

Status check_usable(const RestartFrom& from, const std::vector<Json>& found) {
    const std::string job = "job " + std::to_string(from.job_id);
    const Json* newest = nullptr;
    for (const Json& one : found) {
        if (from.generation != 0 && number(one, "generation") != from.generation) continue;
        if (flag(one, "verified")) return {};
        newest = &one; // they come oldest first
    }
    if (newest != nullptr)
        return fail(Code::store_corrupt,
                    job + " has no checkpoint that can be used: generation " +
                        std::to_string(number(*newest, "generation")) + ": " + string(*newest, "problem"),
                    "`sckpt list` shows all of them");
    if (from.generation != 0 && !found.empty())
        return fail(Code::not_found, job + " has no generation " + std::to_string(from.generation),
                    k_where_there_are);
    return fail(Code::not_found, job + " has no checkpoint to go on from", k_where_there_are);
}

std::vector<std::uint32_t> claimants_in(const std::vector<Json>& found) {
    std::vector<std::uint32_t> jobs;
    for (const Json& one : found) {
        const auto claims = one.find("claimed_by");
        if (claims == one.end() || !claims->is_array()) continue;
        for (const Json& claim : *claims)
            if (claim.is_number_integer()) jobs.push_back(claim.get<std::uint32_t>());
    }
    std::ranges::sort(jobs);
    const auto [first, last] = std::ranges::unique(jobs);
    jobs.erase(first, last);
    return jobs;
}

std::vector<std::string> sbatch_arguments(const RestartFrom& from, const std::string& dir,
                                          const SlurmJob& job, const std::vector<std::string>& given) {
    std::vector<std::string> arguments{"--parsable", "--checkpoint-restore=" + to_string(from)};
    if (!dir.empty()) arguments.push_back("--checkpoint-dir=" + dir);
    if (!job.name.empty()) arguments.push_back("--job-name=" + job.name);
    if (job.task) arguments.push_back("--array=" + std::to_string(*job.task));
    arguments.insert(arguments.end(), given.begin(), given.end());
    return arguments;
}

std::string end_word(const std::string& script) {
    std::string word = "SCRIPT";
    while (("\n" + script + "\n").find("\n" + word + "\n") != std::string::npos)
        word += "_";
    return word;
}

std::string quoted(const std::string& word) {
    constexpr const char* k_plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=@:,%+";
    if (!word.empty() && word.find_first_not_of(k_plain) == std::string::npos) return word;
    std::string text = "'";
    for (const char c : word)
        text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
}

} // namespace ckpt::cli
