// SPDX-License-Identifier: GPL-2.0-or-later
#include "slurm_job.hpp"

#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>
#include <utility>

#include "policy/values.hpp"
#include "programs.hpp"

namespace ckpt::cli {

namespace {

std::optional<std::uint32_t> number(const std::string& text) {
    const auto count = parse_count(text, 0, std::numeric_limits<std::uint32_t>::max());
    return count ? std::optional(*count) : std::nullopt;
}

} // namespace

std::optional<SlurmJob> parse_job(const std::string& line) {
    std::istringstream in(line);
    std::string id;
    std::string task;
    std::string uid;
    SlurmJob job;
    if (!(in >> id >> job.state >> task >> uid)) return std::nullopt;
    const auto known = number(id);
    const auto user = number(uid);
    if (!known || !user) return std::nullopt;
    job.id = *known;
    job.uid = *user;
    if (task != "-") job.task = number(task);
    if (in.get() == ' ') std::getline(in, job.name);
    return job;
}

std::optional<SlurmJob> ask_slurm(const std::string& job) {
    const auto asked =
        run_program({std::string(CKPT_LIBEXEC_DIR) + "/ckpt-slurmctld", "about", job}, -1, true);
    return asked && asked->succeeded ? parse_job(asked->output) : std::nullopt;
}

std::string state_text(const SlurmJob& job) {
    constexpr std::array<std::pair<std::string_view, const char*>, 9> k_words{
        {{"requeue", "is being requeued"},
         {"preempted", "is being preempted"},
         {"preempted-for-good", "was preempted"},
         {"timeout", "has reached its time limit"},
         {"cancelled", "was cancelled"},
         {"node_fail", "has lost its node"},
         {"running", "runs"},
         {"completing", "is ending"},
         {"ended", "has ended"}}};
    const auto found = std::ranges::find(k_words, job.state, &decltype(k_words)::value_type::first);
    return std::string("it ") + (found != k_words.end() ? found->second : "is " + job.state);
}

bool is_live(const SlurmJob& job) {
    constexpr std::array k_live{"pending", "requeue", "preempted", "running", "suspended", "completing"};
    return std::ranges::find(k_live, job.state) != k_live.end();
}

} // namespace ckpt::cli
