// SPDX-License-Identifier: GPL-2.0-or-later
#include "kept_environment.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "wire/allocation.hpp"

namespace ckpt {

namespace {

constexpr std::array<std::string_view, 3> k_slurms = {"SLURM_", "SLURMD_", "SRUN_"};
// Ours, what Slurm carries of ours, and what srun passes on of the process it runs in: the step's slurmstepd
// has yet to apply that (task.c:exec_task).
constexpr std::array<std::string_view, 5> k_ours = {"SLURM_CHECKPOINT", "SLURM_SPANK_", "SLURM_RLIMIT_",
                                                    "SLURM_UMASK=", "SLURM_PRIO_PROCESS="};
constexpr std::array<std::string_view, 6> k_find_the_job = {
    "SLURM_JOB_ID=",      "SLURM_JOBID=",      "SLURM_CONF=",
    "SLURM_CONF_SERVER=", "SLURM_EXIT_ERROR=", "SLURM_WORKING_CLUSTER="};

template <typename Beginnings>
bool begins(std::string_view text, const Beginnings& with_any) {
    return std::ranges::any_of(with_any, [&](std::string_view one) { return text.starts_with(one); });
}

bool is_slurms(std::string_view variable) {
    return begins(variable, k_slurms) && !begins(variable, k_ours);
}

} // namespace

std::vector<std::string> keep_slurm_variables(const std::vector<std::string>& environment) {
    std::vector<std::string> all;
    for (const std::string& variable : environment) {
        if (variable.starts_with(wire::k_kept_prefix)) continue;
        if (is_slurms(variable)) all.push_back(wire::k_kept_prefix + variable);
        if (!is_slurms(variable) || begins(variable, k_find_the_job)) all.push_back(variable);
    }
    return all;
}

std::vector<std::string> give_back_slurm_variables(const std::vector<std::string>& environment) {
    constexpr std::string_view k_kept = wire::k_kept_prefix;
    std::vector<std::string> all;
    for (const std::string& variable : environment) {
        if (!variable.starts_with(k_kept)) {
            if (!is_slurms(variable)) all.push_back(variable);
        } else if (is_slurms(std::string_view(variable).substr(k_kept.size()))) {
            all.push_back(variable.substr(k_kept.size()));
        }
    }
    return all;
}

} // namespace ckpt
