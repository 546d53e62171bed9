// SPDX-License-Identifier: GPL-2.0-or-later
#include "restart.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <iostream>
#include <optional>

#include "fetch.hpp"
#include "job_id.hpp"
#include "os/files.hpp"
#include "programs.hpp"
#include "restart_source.hpp"
#include "users.hpp"
#include "wire/messages.hpp"

namespace ckpt::cli {

namespace {

// An element of an array by its number.
Result<RestartFrom> source_of(const std::string& text) {
    const std::size_t at = text.find('@');
    const std::string name = text.substr(0, at);
    if (name.find('_') == std::string::npos) return restart_from(text);
    CKPT_TRY(const std::string number, number_of_job(name));
    return restart_from(at == std::string::npos ? number : number + text.substr(at));
}

Status check_unclaimed(const RestartFrom& from, const std::vector<Json>& found) {
    if (from.generation != 0) return {};
    for (const std::uint32_t by : claimants_in(found)) {
        const auto job = ask_slurm(std::to_string(by));
        if (!job || !is_live(*job)) continue;
        const std::string claimant = std::to_string(by);
        const std::string number = std::to_string(from.job_id);
        return fail(Code::restore_source,
                    "job " + claimant + " goes on from job " + number + " already, and has not ended",
                    "scancel " + claimant + " first; or name the generation to have both: sckpt restart " +
                        number + "@GENERATION");
    }
    return {};
}

// Where no ckptd answers, as on a login node, this is seen when the new job starts.
Status check_saved(const RestartFrom& from, const std::string& dir) {
    const auto users = users_in_question("");
    if (::getuid() == 0 || !users || users->size() != 1) return {};
    const wire::ListRequest request{from.job_id, false, false, users->front().uid, users->front().name, dir};
    const auto found = fetch(wire::encode(request));
    if (!found && found.error().code == Code::option_value) return tl::unexpected(found.error());
    if (!found) return {};
    CKPT_CHECK(check_usable(from, *found));
    return check_unclaimed(from, *found);
}

Result<std::string> script_of(const RestartFrom& from) {
    CKPT_TRY(const std::string scontrol, find_program("scontrol"));
    CKPT_TRY(Done script,
             run_program({scontrol, "write", "batch_script", std::to_string(from.job_id), "-"}, -1, true));
    if (script.succeeded && !script.output.empty()) return std::move(script.output);
    return fail(Code::not_found, "slurmctld no longer has the script of job " + std::to_string(from.job_id),
                "submit it yourself: sbatch --checkpoint-restore=" + to_string(from) +
                    " SCRIPT; of an array with --array=INDEX; what was in salloc goes on with srun "
                    "--checkpoint-restore=" +
                    to_string(from) + " there too");
}

Status check_caller(const SlurmJob& job, const RestartOptions& options) {
    std::vector<std::string> arguments{"restart"};
    if (options.dry_run) arguments.emplace_back("--dry-run");
    if (!options.dir.empty()) arguments.push_back("--dir=" + options.dir);
    arguments.push_back(options.from);
    if (!options.sbatch.empty()) arguments.emplace_back("--");
    arguments.insert(arguments.end(), options.sbatch.begin(), options.sbatch.end());
    const passwd* owner = ::getpwuid(job.uid); // NOLINT(concurrency-mt-unsafe): one thread
    return check_own(job, ::getuid(), owner != nullptr ? owner->pw_name : "#" + std::to_string(job.uid),
                     arguments);
}

void print(const std::vector<std::string>& argv, const std::string& script) {
    const std::string end = end_word(script);
    for (const std::string& word : argv)
        std::cout << quoted(word) << " ";
    std::cout << "<<'" << end << "'\n" << script << (script.ends_with('\n') ? "" : "\n") << end << "\n";
}

Result<Fd> in_memory(const std::string& text) {
    Fd file(::memfd_create("script", MFD_CLOEXEC));
    if (!file) return fail_errno(Code::os, "hand the script on");
    CKPT_CHECK(write_all(file.get(), text));
    if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno(Code::os, "hand the script on");
    return file;
}

} // namespace

Status restart(const RestartOptions& options) {
    CKPT_TRY(const RestartFrom from, source_of(options.from));
    const auto job = ask_slurm(std::to_string(from.job_id)); // what slurmctld has forgotten has ended
    if (job) CKPT_CHECK(check_caller(*job, options));
    if (job) CKPT_CHECK(check_ended(*job));
    CKPT_CHECK(check_saved(from, options.dir));
    CKPT_TRY(const std::string script, script_of(from));
    // It has the script, and has not said what the job is: an array would be started whole.
    if (!job) return fail(Code::slurm_rpc, "slurmctld does not say what job " + options.from + " was");
    CKPT_TRY(const std::string sbatch, find_program("sbatch"));
    std::vector<std::string> argv = sbatch_arguments(from, options.dir, *job, options.sbatch);
    argv.insert(argv.begin(), sbatch);
    if (options.dry_run) {
        print(argv, script);
        return {};
    }
    CKPT_TRY(const Fd input, in_memory(script));
    CKPT_TRY(const Done submitted, run_program(argv, input.get(), false));
    if (!submitted.succeeded) return fail(Code::slurm_rpc, "sbatch has not submitted the job");
    std::cout << submitted.output.substr(0, submitted.output.find_first_of(";\n")) << "\n";
    return {};
}

} // namespace ckpt::cli
