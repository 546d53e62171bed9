// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-slurmctld: one question or one request to slurmctld, then it ends. Runs as root for ckptd, and as the
// job's user for the shim; slurmctld decides who may do what.
//
// Exit status: 0 = done; 1 = refused, no answer, or 10 seconds have passed, with one line on stderr; 2 =
// wrong usage.
#include <slurm/slurm.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <optional>
#include <span>
#include <string_view>

#include "comment.hpp"
#include "constraint.hpp"
#include "job.hpp"
#include "job_list.hpp"
#include "node.hpp"
#include "quiet.hpp"
#include "result/printable.hpp"

namespace {

using namespace ckpt;

constexpr unsigned k_deadline_s = 10;

constexpr const char* k_usage =
    "usage: ckpt-slurmctld cause JOBID                   print why the job is ending\n"
    "       ckpt-slurmctld history JOBID                 print what its comment says of its checkpoints\n"
    "       ckpt-slurmctld about JOBID[_TASK]            print its number, state, index, uid and name\n"
    "       ckpt-slurmctld hold JOBID REASON             requeue it held\n"
    "       ckpt-slurmctld comment JOBID TEXT            show it in its comment\n"
    "       ckpt-slurmctld requeue JOBID [--exclude NODE] requeue it\n"
    "       ckpt-slurmctld cancel JOBID                  cancel it\n"
    "       ckpt-slurmctld elsewhere JOBID NODE REASON   requeue it without NODE; held where it can have no "
    "other\n"
    "       ckpt-slurmctld constrain JOBID NODE FEATURE,... demand those that NODE has\n"
    "       ckpt-slurmctld host JOBID                    print the node that its script runs on, and its "
    "address\n"
    "       ckpt-slurmctld qos JOBID                     print its quality of service\n"
    "       ckpt-slurmctld node NAME                     print its state and the jobs that run on it\n"
    "       ckpt-slurmctld drain NAME REASON             start no more jobs there\n"
    "       ckpt-slurmctld jobs UID                      print the cluster, and that user's jobs that have "
    "not ended\n";

[[noreturn]] void wrong_usage() {
    (void)!::write(STDERR_FILENO, k_usage, std::string_view(k_usage).size());
    ::_exit(2);
}

Status cause(std::uint32_t job_id) {
    CKPT_TRY(const JobRecord job, load_job(job_id));
    std::puts(cause_line(job).c_str());
    return {};
}

// `task`: of "76_2" the "2", else empty.
Status about(std::uint32_t job_id, std::optional<std::uint32_t> task) {
    CKPT_TRY(const JobRecord job, task ? load_element(job_id, *task) : load_job(job_id));
    std::puts(about_line(job).c_str());
    return {};
}

Status hold(std::uint32_t job_id, const std::string& reason) {
    CKPT_CHECK(requeue_job(job_id, true));
    // It is held, whether or not the reason can be shown.
    if (const auto explained = explain_job(job_id, reason); !explained)
        std::puts(one_line(explained.error()).c_str());
    return {};
}

Status history(std::uint32_t job_id) {
    CKPT_TRY(const JobRecord job, load_job(job_id));
    std::puts(reason_in(job.admin_comment).c_str());
    return {};
}

Status requeue(std::uint32_t job_id, const char* excluded) {
    CKPT_CHECK(requeue_job(job_id, false));
    return excluded != nullptr ? exclude_node(job_id, excluded) : Status{};
}

Status constrain(std::uint32_t job_id, const char* node, std::string_view features) {
    CKPT_TRY(const std::string line, constrain_job(job_id, node, split_at_commas(features)));
    if (!line.empty()) std::puts(line.c_str());
    return {};
}

// "n1 10.0.0.1"
Status host(std::uint32_t job_id) {
    CKPT_TRY(const BatchHost host, batch_host(job_id));
    std::puts((host.node + " " + host.address).c_str());
    return {};
}

Status qos(std::uint32_t job_id) {
    CKPT_TRY(const JobRecord job, load_job(job_id));
    std::puts(printable(job.qos).c_str());
    return {};
}

// "alpha 7001-7003 7010"
Status jobs(std::uint32_t uid) {
    CKPT_TRY(const std::string cluster, cluster_name());
    CKPT_TRY(const std::vector<std::uint32_t> ids, unfinished_jobs(uid));
    std::puts((cluster + id_ranges(ids)).c_str());
    return {};
}

// "draining", then for each job "7001 n1 10.0.0.1 1000 name": its id, the node that its script runs on, that
// one's address, the user, and the name.
Status node(const std::string& name) {
    CKPT_TRY(const NodeRecord node, load_node(name));
    std::puts(node.takes_jobs ? "up" : "draining");
    for (const NodeJob& job : node.jobs)
        std::puts((std::to_string(job.job_id) + " " + job.host + " " + job.address + " " +
                   std::to_string(job.uid) + " " + printable(job.name))
                      .c_str());
    return {};
}

[[noreturn]] void finish(const Status& done) {
    if (!done) refuse(one_line(done.error()));
    (void)std::fflush(stdout);
    ::_exit(0);
}

void begin() {
    set_deadline(k_deadline_s);
    quiet_libslurm();
    slurm_init(nullptr);
}

// All of the text, or nothing.
std::optional<std::uint32_t> number_in(std::string_view text) {
    std::uint32_t number = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    return parsed.ptr == end && parsed.ec == std::errc() ? std::optional(number) : std::nullopt;
}

} // namespace

int main(int argc, char** argv) {
    const std::span<char*> words(argv, static_cast<std::size_t>(argc));
    if (words.size() < 3) wrong_usage();
    const std::string_view verb = words[1];
    const std::string_view name = words[2];
    const bool is_of_node = (verb == "node" && words.size() == 3) || (verb == "drain" && words.size() == 4);
    if (is_of_node) {
        begin();
        finish(verb == "node" ? node(words[2]) : drain_node(words[2], words[3]));
    }
    const std::size_t line = verb == "about" ? name.find('_') : std::string_view::npos;
    const auto number = number_in(name.substr(0, line));
    const auto task = line != std::string_view::npos ? number_in(name.substr(line + 1)) : std::nullopt;
    if (!number || (*number == 0 && verb != "jobs") || (line != std::string_view::npos && !task))
        wrong_usage();
    const std::uint32_t job_id = *number;
    const bool excludes = words.size() == 5 && std::string_view(words[3]) == "--exclude";
    const bool asks = verb == "cause" || verb == "history" || verb == "jobs" || verb == "about" ||
                      verb == "host" || verb == "qos";
    const bool known =
        (asks && words.size() == 3) || ((verb == "hold" || verb == "comment") && words.size() == 4) ||
        ((verb == "elsewhere" || verb == "constrain") && words.size() == 5) ||
        (verb == "cancel" && words.size() == 3) || (verb == "requeue" && (words.size() == 3 || excludes));
    if (!known) wrong_usage();

    begin();
    const Status done = verb == "cause"       ? cause(job_id)
                        : verb == "history"   ? history(job_id)
                        : verb == "jobs"      ? jobs(job_id)
                        : verb == "about"     ? about(job_id, task)
                        : verb == "host"      ? host(job_id)
                        : verb == "qos"       ? qos(job_id)
                        : verb == "cancel"    ? cancel_job(job_id)
                        : verb == "hold"      ? hold(job_id, words[3])
                        : verb == "constrain" ? constrain(job_id, words[3], words[4])
                        : verb == "elsewhere" ? requeue_elsewhere(job_id, words[3], words[4])
                        : verb == "comment"   ? explain_job(job_id, words[3])
                                              : requeue(job_id, excludes ? words[4] : nullptr);
    finish(done);
}
