// SPDX-License-Identifier: GPL-2.0-or-later
#include "job_commands.hpp"

#include <iostream>

#include "ask.hpp"
#include "explain.hpp"
#include "job_id.hpp"

namespace ckpt::cli {

namespace {

constexpr std::chrono::hours k_create_limit{1}; // a commit of the largest job to a slow file system

Status create(std::uint32_t job_id) {
    CKPT_TRY(const Asked asked, ask(wire::encode(wire::CreateRequest{job_id}), k_create_limit));
    if (asked.answer.generation ==
        0) // asked from inside the job: whoever waits for the answer would be dumped waiting
        std::cout << "a checkpoint of job " << job_id
                  << " begins; the job's output will say when it is saved\n";
    else
        std::cout << "generation " << asked.answer.generation << " of job " << job_id << " saved\n";
    return {};
}

} // namespace

JobCommands::JobCommands(CLI::App& app)
    : m_create(app.add_subcommand("create", "save a generation now; the job runs on")),
      m_explain(app.add_subcommand("explain",
                                   "what applies to a job that runs on this node, and when it is saved")),
      m_restart(app.add_subcommand("restart",
                                   "submit a job that has ended once more, to go on from its checkpoint")) {
    for (CLI::App* command : {m_create, m_explain})
        command->add_option("JOBID,-j,--job", m_job_id, "the job; inside a job: this one")
            ->transform(CLI::Validator(to_job_id, "JOBID"));
    m_explain->add_flag("--json", m_json, "one JSON object");
    m_restart->add_option("JOBID", m_restarting.from, "the job, or JOBID@GENERATION")->required();
    m_restart->add_option("--dir", m_restarting.dir, "the job's --checkpoint-dir, if it had one");
    m_restart->add_flag("-n,--dry-run", m_restarting.dry_run, "only print what would be submitted");
    m_restart->add_option("OPTION", m_restarting.sbatch, "after --: options for sbatch");
}

bool JobCommands::parsed() const {
    return m_create->parsed() || m_explain->parsed() || m_restart->parsed();
}

Status JobCommands::run() {
    if (m_restart->parsed()) return restart(m_restarting);
    CKPT_TRY(const std::uint32_t job_id, job_or_own(m_job_id, m_create->parsed() ? "create" : "explain"));
    return m_create->parsed() ? create(job_id) : explain(job_id, m_json);
}

} // namespace ckpt::cli
