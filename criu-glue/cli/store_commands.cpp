// SPDX-License-Identifier: GPL-2.0-or-later
#include "store_commands.hpp"

#include "job_id.hpp"
#include "metrics.hpp"

namespace ckpt::cli {

namespace {

constexpr const char* k_dir_help = "the directory of jobs with --checkpoint-dir=DIR";

} // namespace

StoreCommands::StoreCommands(CLI::App& app)
    : m_list(app.add_subcommand("list", "one line per saved generation of your jobs (root: of all)")),
      m_show(app.add_subcommand("show", "everything about a job's generations")),
      m_verify(app.add_subcommand("verify", "read all of it back, and say what is damaged")),
      m_prune(app.add_subcommand("prune", "remove what the policy does not keep, now instead of once a day")),
      m_report(
          app.add_subcommand("report", "a job's life: incarnations, generations, pauses, what was saved")),
      m_metrics(app.add_subcommand("metrics", "what ckptd of this node has done, as Prometheus reads it")) {
    m_list->add_option("-j,--job,JOBID", m_listing.job_id, "only this job")
        ->transform(CLI::Validator(to_job_id, "JOBID"));
    m_show->add_option("JOBID,-j,--job", m_listing.job_id, "the job; inside a job: this one")
        ->transform(CLI::Validator(to_job_id, "JOBID"));
    m_verify->add_option("JOBID,-j,--job", m_listing.job_id, "only this job")
        ->transform(CLI::Validator(to_job_id, "JOBID"));
    m_report->add_option("JOBID,-j,--job", m_listing.job_id, "the job; inside a job: this one")
        ->transform(CLI::Validator(to_job_id, "JOBID"));
    auto* json =
        m_report->add_flag("--json", m_listing.json, "one JSON object per line: generations, and the history");
    m_report->add_option("--html", m_html, "write a page to this file; - is standard output")->excludes(json);
    m_report->add_option("-u,--user", m_listing.user, "root: only this user's jobs");
    for (CLI::App* command : {m_list, m_show, m_verify}) {
        command->add_option("-u,--user", m_listing.user, "root: only this user's jobs");
        command->add_flag("--json", m_listing.json, "one JSON object per line");
        command->add_option("-M,--cluster", m_listing.cluster, "only of this cluster");
    }
    m_list->add_option("-o,--format", m_listing.format, "columns, as in the titles: JOBID,GEN,TAKEN");
    for (CLI::App* command : {m_list, m_show, m_verify, m_report})
        command->add_option("--dir", m_listing.dir, k_dir_help);
    m_prune->add_option("--dir", m_pruning.dir, k_dir_help);
    for (CLI::App* command : {m_list, m_verify})
        command->add_flag("--noheader", m_no_header, "no column titles");
    m_prune->add_option("-u,--user", m_pruning.user, "root: only this user's jobs");
    m_prune->add_flag("-n,--dry-run", m_pruning.dry_run, "only say what would be removed");
    m_prune->add_flag("--json", m_pruning.json, "one JSON object per line");
}

bool StoreCommands::parsed() const {
    return m_list->parsed() || m_show->parsed() || m_verify->parsed() || m_prune->parsed() ||
           m_report->parsed() || m_metrics->parsed();
}

Status StoreCommands::run() {
    m_listing.header = !m_no_header;
    if (m_list->parsed()) return list(m_listing);
    if (m_verify->parsed()) return verify(m_listing);
    if (m_prune->parsed()) return prune(m_pruning);
    if (m_metrics->parsed()) return print_metrics();
    CKPT_TRY(m_listing.job_id, job_or_own(m_listing.job_id, m_report->parsed() ? "report" : "show"));
    if (m_report->parsed()) return report(m_listing, m_html);
    return show(m_listing);
}

} // namespace ckpt::cli
