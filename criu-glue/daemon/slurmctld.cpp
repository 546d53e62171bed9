// SPDX-License-Identifier: GPL-2.0-or-later
#include "slurmctld.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::seconds k_cause_limit{3}; // within the shortest KillWait worth having
constexpr std::chrono::seconds k_hold_limit{15};

std::string helper() {
    return std::string(CKPT_LIBEXEC_DIR) + "/ckpt-slurmctld";
}

} // namespace

Cause cause_of(const std::string& answer) {
    const std::string word = answer.substr(0, answer.find_first_of(" \n"));
    if (word == "requeue") return Cause::requeued;
    if (word == "preempted") return Cause::preempted;
    if (word == "preempted-for-good") return Cause::preempted_for_good;
    if (word == "timeout") return Cause::timelimit;
    if (word == "cancelled") return Cause::cancelled;
    if (word == "running") return Cause::running;
    return Cause::unknown;
}

void ask_cause(Workers& workers, std::uint32_t job_id, std::function<void(Cause)> done) {
    workers.run_text({helper(), "cause", std::to_string(job_id)}, k_cause_limit,
                     [done = std::move(done)](const Result<std::string>& text) {
                         done(text ? cause_of(*text) : Cause::unknown);
                     });
}

void hold_job(Workers& workers, std::uint32_t job_id, const std::string& reason,
              std::function<void(std::optional<Error>)> done) {
    workers.run_text({helper(), "hold", std::to_string(job_id), reason}, k_hold_limit,
                     [done = std::move(done)](const Result<std::string>& text) {
                         done(text ? std::nullopt : std::optional(text.error()));
                     });
}

} // namespace ckpt
