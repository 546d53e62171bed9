// SPDX-License-Identifier: GPL-2.0-or-later
#include "job_commands.hpp"

#include <algorithm>
#include <array>
#include <iostream>
#include <vector>

#include "ask_job.hpp"
#include "explain.hpp"
#include "job_id.hpp"

namespace ckpt::cli {

namespace {

constexpr int k_restored_status = 3;

Result<int> done(const Status& status) {
    if (!status) return tl::unexpected(status.error());
    return 0;
}

struct Verb {
    wire::Ask ask;
    const char* name;
    const char* help;
    const char* done; // of a job, after its number
};

constexpr std::array k_verbs{
    Verb{wire::Ask::create, "create", "save a generation now; the job runs on", "saved"},
    Verb{wire::Ask::requeue, "requeue", "save a generation and requeue the job, which goes on from it",
         "saved, and the job is requeued"},
    Verb{wire::Ask::vacate, "vacate",
         "save a generation and end the job; `sckpt restart` goes on from it whenever you like",
         "saved, and the job has ended"},
    Verb{wire::Ask::disable, "disable", "no checkpoints of a job until `enable`", "are switched off"},
    Verb{wire::Ask::enable, "enable", "checkpoints of a job again, after `disable`", "are switched on"},
};

} // namespace

JobCommands::JobCommands(CLI::App& app)
    : m_explain(app.add_subcommand("explain",
                                   "what applies to a job that runs on this node, and when it is saved")),
      m_restart(app.add_subcommand("restart",
                                   "submit a job that has ended once more, to go on from its checkpoint")),
      m_probe(app.add_subcommand("probe", "try whether a program can be checkpointed, in a job of its own")) {
    for (std::size_t i = 0; i < k_verbs.size(); ++i)
        m_verbs.at(i) = app.add_subcommand(k_verbs.at(i).name, k_verbs.at(i).help);
    for (CLI::App* command : m_verbs)
        command->add_option("JOBID,-j,--job", m_job_ids, "the jobs; inside a job: this one")
            ->transform(CLI::Validator(to_job_id, "JOBID"));
    m_explain->add_option("JOBID,-j,--job", m_job_id, "the job; inside a job: this one")
        ->transform(CLI::Validator(to_job_id, "JOBID"));
    m_verbs.front()->add_flag(
        "--tell-restored", m_tell_restored,
        "exit with status 3 when the job has been restored from this checkpoint meanwhile");
    m_explain->add_flag("--json", m_json, "one JSON object");
    m_restart->add_option("JOBID", m_restarting.from, "the job, or JOBID@GENERATION")->required();
    m_restart->add_option("--dir", m_restarting.dir, "the job's --checkpoint-dir, if it had one");
    m_restart->add_flag("-n,--dry-run", m_restarting.dry_run, "only print what would be submitted");
    m_probe
        ->add_option("--seconds", m_probing.seconds,
                     "that it runs before it is saved, and after it is restored")
        ->capture_default_str();
    m_probe->add_option("-O,--slurm", m_probing.slurm, "an option for salloc, e.g. -O --partition=short")
        ->allow_extra_args(false);
    m_probe->add_flag("--inside", m_probing.inside)->group("");
    m_probe->add_option("COMMAND", m_probing.command, "after --: the program and its arguments")->required();
    m_restart->add_option("OPTION", m_restarting.sbatch, "after --: options for sbatch");
}

bool JobCommands::parsed() const {
    return m_explain->parsed() || m_restart->parsed() || m_probe->parsed() ||
           std::ranges::any_of(m_verbs, [](const CLI::App* verb) { return verb->parsed(); });
}

Result<int> JobCommands::run() {
    if (m_probe->parsed()) return probe(m_probing);
    if (m_restart->parsed()) return done(restart(m_restarting));
    if (m_explain->parsed()) {
        return done(explain(m_job_id, m_json));
    }
    const auto chosen = std::ranges::find_if(m_verbs, [](const CLI::App* verb) { return verb->parsed(); });
    return ask(static_cast<std::size_t>(chosen - m_verbs.begin()));
}

Result<int> JobCommands::ask(std::size_t index) const {
    if (m_job_ids.size() < 2) return ask_one(index);
    if (m_tell_restored) return fail(Code::option_value, "--tell-restored is for one job");
    return ask_each(m_job_ids, k_verbs.at(index).name);
}

Result<int> JobCommands::ask_one(std::size_t index) const {
    const Verb& verb = k_verbs.at(index);
    const std::uint32_t asked_for = m_job_ids.empty() ? 0 : m_job_ids.front();
    CKPT_TRY(const AskOutcome outcome, ask_of_job(asked_for, verb.ask, verb.name));
    const std::uint32_t job_id = outcome.job_id;
    if (outcome.was_restored) {
        std::cout << "job " << job_id << " was restored from generation " << outcome.generation << "\n";
        return m_tell_restored ? k_restored_status : 0;
    }
    if (verb.ask == wire::Ask::disable || verb.ask == wire::Ask::enable)
        std::cout << "checkpoints of job " << job_id << " " << verb.done << "\n";
    else
        std::cout << "generation " << outcome.generation << " of job " << job_id << " " << verb.done << "\n";
    return 0;
}

} // namespace ckpt::cli
