// SPDX-License-Identifier: GPL-2.0-or-later
// sckpt: the command line for users and admins. It holds no privilege; ckptd decides by who the caller is.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include <CLI/CLI.hpp>

#include "ask.hpp"
#include "explain.hpp"
#include "generations.hpp"
#include "key_commands.hpp"
#include "policy/policy_yaml.hpp"
#include "text/text.hpp"

namespace {

constexpr std::chrono::hours k_create_limit{1}; // a commit of the largest job to a slow file system

// The job that a command inside a job means when it names none.
std::uint32_t own_job() {
    const char* id = std::getenv("SLURM_JOB_ID"); // NOLINT(concurrency-mt-unsafe): one thread
    return id == nullptr ? 0 : static_cast<std::uint32_t>(std::strtoul(id, nullptr, 10));
}

ckpt::Status create(std::uint32_t job_id) {
    if (job_id == 0) job_id = own_job();
    if (job_id == 0) return ckpt::fail(ckpt::Code::not_found, "which job?", "sckpt create JOBID");
    CKPT_TRY(const auto asked,
             ckpt::cli::ask(ckpt::wire::encode(ckpt::wire::CreateRequest{job_id}), k_create_limit));
    if (asked.answer.generation ==
        0) // asked from inside the job: whoever waits for the answer would be dumped waiting
        std::cout << "a checkpoint of job " << job_id
                  << " begins; the job's output will say when it is saved\n";
    else
        std::cout << "generation " << asked.answer.generation << " of job " << job_id << " saved\n";
    return {};
}

ckpt::Status explain(std::uint32_t job_id, bool json) {
    if (job_id == 0) job_id = own_job();
    if (job_id == 0) return ckpt::fail(ckpt::Code::not_found, "which job?", "sckpt explain JOBID");
    return ckpt::cli::explain(job_id, json);
}

ckpt::Status check_policy(const std::string& path) {
    // A draft belongs to whoever writes it; in force is only what belongs to root.
    struct stat st{};
    const bool is_own = ::stat(path.c_str(), &st) == 0 && st.st_uid == ::getuid();
    CKPT_TRY(const ckpt::Policy policy, ckpt::load_policy(path, is_own ? ::getuid() : 0));
    std::cout << path << ": good; " << policy.stated.size() << " keys are stated\n";
    return {};
}

// Slurm's name of an array's element, 8_2, is not a number.
std::string is_job_id(const std::string& text) {
    if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos) return {};
    return text + " is not a job id; for an element of an array: the number that `sckpt list` or "
                  "`squeue -o %A` shows";
}

int finish(const ckpt::Status& status) {
    if (status) return 0;
    std::cerr << "sckpt: error: " << ckpt::one_line(status.error()) << "\n";
    return 1;
}

int run(int argc, char** argv) {
    CLI::App app{"Checkpoints of Slurm jobs: see what is saved, save one now. See sckpt(1)."};
    app.require_subcommand(1);
    app.set_version_flag("--version", CKPT_VERSION);

    ckpt::cli::ListOptions listing;
    bool no_header = false;
    auto* list = app.add_subcommand("list", "one line per saved generation of your jobs (root: all jobs)");
    list->add_option("-j,--job,JOBID", listing.job_id, "only this job")->check(is_job_id, "JOBID");
    list->add_option("-u,--user", listing.user, "root: only this user's jobs");
    list->add_flag("--json", listing.json, "one JSON object per line");
    list->add_flag("--noheader", no_header, "no column titles");

    auto* show = app.add_subcommand("show", "everything about a job's generations");
    show->add_option("JOBID,-j,--job", listing.job_id, "the job; inside a job: this one")
        ->check(is_job_id, "JOBID");
    show->add_option("-u,--user", listing.user, "root: the job's user, where the store is per user");
    show->add_flag("--json", listing.json, "one JSON object per line");

    std::uint32_t create_job = 0;
    auto* create_command = app.add_subcommand("create", "save a generation now; the job runs on");
    create_command->add_option("JOBID,-j,--job", create_job, "the job; inside a job: this one")
        ->check(is_job_id, "JOBID");

    std::uint32_t explain_job = 0;
    bool explain_json = false;
    auto* explain_command =
        app.add_subcommand("explain", "what applies to a job that runs on this node, and when it is saved");
    explain_command->add_option("JOBID,-j,--job", explain_job, "the job; inside a job: this one")
        ->check(is_job_id, "JOBID");
    explain_command->add_flag("--json", explain_json, "one JSON object");

    const ckpt::cli::KeyCommands keys(app);

    std::string policy_path = "/etc/slurm/checkpoint.yaml";
    auto* policy = app.add_subcommand("policy", "the cluster's policy");
    policy->require_subcommand(1);
    auto* policy_check = policy->add_subcommand("check", "say what is wrong with a policy file");
    policy_check->add_option("FILE", policy_path, "default /etc/slurm/checkpoint.yaml");

    CLI11_PARSE(app, argc, argv);
    listing.header = !no_header;
    if (list->parsed()) return finish(ckpt::cli::list(listing));
    if (show->parsed()) {
        if (listing.job_id == 0) listing.job_id = own_job();
        if (listing.job_id == 0)
            return finish(ckpt::fail(ckpt::Code::not_found, "which job?", "sckpt show JOBID"));
        return finish(ckpt::cli::show(listing));
    }
    if (policy_check->parsed()) return finish(check_policy(policy_path));
    if (explain_command->parsed()) return finish(explain(explain_job, explain_json));
    if (create_command->parsed()) return finish(create(create_job));
    return finish(keys.run());
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& e) { // CLI11 and the standard library; ours return results
        std::cerr << "sckpt: error: " << e.what() << " [CKPT-901]\n";
        return 1;
    }
}
