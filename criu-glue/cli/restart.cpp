// SPDX-License-Identifier: GPL-2.0-or-later
#include "restart.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "fetch.hpp"
#include "os/files.hpp"
#include "os/process.hpp"
#include "policy/values.hpp"
#include "users.hpp"
#include "wire/messages.hpp"

namespace ckpt::cli {

namespace {

constexpr std::chrono::minutes k_command_limit{5};
constexpr std::size_t k_output_max = 64U << 20U; // more than any script that Slurm takes

// As a shell finds it.
Result<std::string> program(const std::string& name) {
    const char* path = std::getenv("PATH"); // NOLINT(concurrency-mt-unsafe): one thread
    std::istringstream dirs(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
    for (std::string dir; std::getline(dirs, dir, ':');) {
        const std::string file = dir + "/" + name;
        if (dir.starts_with('/') && ::access(file.c_str(), X_OK) == 0) return file;
    }
    return fail(Code::not_found, "there is no " + name + " here", "run this where jobs are submitted");
}

struct Done {
    bool succeeded = false;
    std::string output;
};

// Its standard output; what it says on standard error is seen unless `quiet`.
Result<Done> run(const std::vector<std::string>& argv, int input, bool quiet) {
    CKPT_TRY(Pipe out, make_pipe());
    SpawnSpec spec;
    spec.path = argv.front();
    spec.argv = argv;
    for (char** variable = environ; *variable != nullptr; ++variable)
        spec.environment.emplace_back(*variable);
    spec.fds = {{out.write.get(), STDOUT_FILENO}};
    if (input >= 0) spec.fds.emplace_back(input, STDIN_FILENO);
    if (!quiet) spec.fds.emplace_back(STDERR_FILENO, STDERR_FILENO);
    CKPT_TRY(Child child, spawn(spec));
    out.write.reset();
    CKPT_TRY(std::string output, read_all(out.read.get(), k_output_max));
    CKPT_TRY(const int status, child.wait(k_command_limit));
    return Done{WIFEXITED(status) && WEXITSTATUS(status) == 0, std::move(output)};
}

// What slurmctld has forgotten has ended.
Status check_ended(std::uint32_t job_id) {
    const std::string number = std::to_string(job_id);
    CKPT_TRY(const Done asked,
             run({std::string(CKPT_LIBEXEC_DIR) + "/ckpt-slurmctld", "cause", number}, -1, true));
    if (!asked.succeeded) return {};
    const std::string state = asked.output.substr(0, asked.output.find_first_of(" \n"));
    constexpr std::array k_waits{"pending", "requeue", "preempted"};
    constexpr std::array k_runs{"running", "suspended"};
    constexpr std::array k_ends{"completing"};
    if (std::ranges::find(k_waits, state) != k_waits.end())
        return fail(Code::busy, "job " + number + " is pending and goes on from its checkpoint by itself",
                    "if it is held: scontrol release " + number);
    if (std::ranges::find(k_runs, state) != k_runs.end())
        return fail(Code::busy, "job " + number + " is " + state,
                    "scontrol requeue " + number +
                        " starts it again from its last checkpoint; or scancel it first");
    if (std::ranges::find(k_ends, state) != k_ends.end())
        return fail(Code::busy, "job " + number + " is just ending", "try again in a moment");
    return {};
}

// Where no ckptd answers, as on a login node, this is seen when the new job starts.
Status check_saved(const RestartFrom& from) {
    const auto users = users_in_question("");
    if (::getuid() == 0 || !users || users->size() != 1) return {};
    const wire::ListRequest request{from.job_id, false, false, users->front().uid, users->front().name};
    const auto found = fetch(wire::encode(request));
    if (!found) return {};
    const bool is_there = std::ranges::any_of(*found, [&](const Json& one) {
        return flag(one, "verified") &&
               (from.generation == 0 || number(one, "generation") == from.generation);
    });
    if (is_there) return {};
    return fail(Code::not_found,
                "job " + std::to_string(from.job_id) + " has no checkpoint" +
                    (from.generation != 0 ? " " + std::to_string(from.generation) : "") + " to go on from",
                "see `sckpt list` for what there is");
}

Result<std::string> script_of(const RestartFrom& from, const std::string& restore) {
    CKPT_TRY(const std::string scontrol, program("scontrol"));
    CKPT_TRY(Done script,
             run({scontrol, "write", "batch_script", std::to_string(from.job_id), "-"}, -1, true));
    if (script.succeeded && !script.output.empty()) return std::move(script.output);
    return fail(Code::not_found, "slurmctld no longer has the script of job " + std::to_string(from.job_id),
                "submit it yourself: sbatch " + restore + " SCRIPT");
}

Result<Fd> in_memory(const std::string& text) {
    Fd file(::memfd_create("script", MFD_CLOEXEC));
    if (!file) return fail_errno(Code::os, "hand the script on");
    CKPT_CHECK(write_all(file.get(), text));
    if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno(Code::os, "hand the script on");
    return file;
}

} // namespace

Result<RestartFrom> restart_from(const std::string& text) {
    CKPT_TRY(const Restore restore, parse_restore(text));
    if (restore.kind != Restore::Kind::job)
        return fail(Code::option_value, text + " is neither JOBID nor JOBID@GENERATION", "see `sckpt list`");
    return RestartFrom{restore.job_id, restore.generation};
}

Status restart(const RestartOptions& options) {
    CKPT_TRY(const RestartFrom from, restart_from(options.from));
    const std::string restore = "--checkpoint-restore=" + options.from;
    CKPT_CHECK(check_ended(from.job_id));
    CKPT_CHECK(check_saved(from));
    CKPT_TRY(const std::string script, script_of(from, restore));
    CKPT_TRY(const std::string sbatch, program("sbatch"));
    std::vector<std::string> argv{sbatch, "--parsable", restore};
    argv.insert(argv.end(), options.sbatch.begin(), options.sbatch.end());
    if (options.dry_run) {
        for (const std::string& word : argv)
            std::cout << word << (&word == &argv.back() ? " <<'SCRIPT'\n" : " ");
        std::cout << script << "SCRIPT\n";
        return {};
    }
    CKPT_TRY(const Fd input, in_memory(script));
    CKPT_TRY(const Done submitted, run(argv, input.get(), false));
    if (!submitted.succeeded) return fail(Code::slurm_rpc, "sbatch has not submitted the job");
    std::cout << submitted.output.substr(0, submitted.output.find_first_of(";\n")) << "\n";
    return {};
}

} // namespace ckpt::cli
