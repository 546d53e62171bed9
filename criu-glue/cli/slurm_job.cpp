// SPDX-License-Identifier: GPL-2.0-or-later
#include "slurm_job.hpp"

#include <algorithm>
#include <array>
#include <sstream>

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

bool is_live(const SlurmJob& job) {
    constexpr std::array k_live{"pending", "requeue", "preempted", "running", "suspended", "completing"};
    return std::ranges::find(k_live, job.state) != k_live.end();
}

} // namespace ckpt::cli
