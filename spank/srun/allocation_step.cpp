// SPDX-License-Identifier: GPL-2.0-or-later
#include "allocation_step.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "kept_environment.hpp"
#include "os/random.hpp"
#include "real_srun.hpp"
#include "wire/allocation.hpp"

namespace ckpt {

namespace {

// It takes nothing from the steps that the allocation is for.
constexpr std::array k_step = {"--nodes=1",  "--ntasks=1", "--overlap",       "--mem=0",     "--gres=none",
                               "--mpi=none", "--wait=0",   "--cpu-bind=none", "--export=ALL"};
constexpr const char* k_nodes = "SLURM_JOB_NODELIST";
constexpr const char* k_uuid = "SLURM_SPANK_CKPT_UUID"; // spank/plugin/environment.hpp

void set(std::vector<std::string>& environment, const std::string& name, const std::string& value) {
    std::erase_if(environment, [&](const std::string& one) { return one.starts_with(name + "="); });
    environment.push_back(name + "=" + value);
}

// --checkpoint-restore, or its form in the environment, names a job.
bool restores(const SrunOptions& options) {
    const char* named = std::getenv("SLURM_CHECKPOINT_RESTORE");
    return options.restores || (named != nullptr && wire::names_a_job(named));
}

} // namespace

std::string first_host(std::string_view nodes) {
    std::string host;
    while (!nodes.empty() && nodes.front() != ',') {
        if (nodes.front() != '[') {
            host += nodes.front();
            nodes.remove_prefix(1);
            continue;
        }
        const std::size_t end = nodes.find(']');
        if (end == std::string_view::npos) return {};
        host += nodes.substr(1, std::min(nodes.find_first_of(",-]"), end) - 1);
        nodes.remove_prefix(end + 1);
    }
    return host;
}

bool is_allocation_step(const SrunOptions& options, std::size_t words) {
    const char* made = std::getenv(wire::k_allocation_variable);
    const bool is_inside = std::getenv(wire::k_script_variable) != nullptr;
    const bool is_something = options.command_at < words || restores(options);
    return made != nullptr && std::string_view(made) == "1" && !is_inside && is_something && !options.pty &&
           !options.elsewhere && std::getenv("SLURM_JOB_ID") != nullptr && std::getenv(k_nodes) != nullptr;
}

Result<AllocationStep> allocation_step(std::span<const std::string> argv, const SrunOptions& options,
                                       const std::vector<std::string>& environment) {
    AllocationStep step;
    step.argv.emplace_back("srun");
    step.argv.insert(step.argv.end(), k_step.begin(), k_step.end());
    // Whose ckptd the others ask for (spank/slurmctld/job.cpp:batch_host). Not --relative=0, which leaves no
    // node out and so any of them in (slurm src/stepmgr/stepmgr.c:_pick_step_nodes).
    const char* nodes = std::getenv(k_nodes);
    step.argv.emplace_back("--nodelist=" + first_host(nodes != nullptr ? nodes : ""));
    step.argv.insert(step.argv.end(), options.checkpoint.begin(), options.checkpoint.end());
    step.argv.emplace_back(std::string(k_stand_in_dir) + "/srun");
    step.argv.insert(step.argv.end(), argv.begin() + 1, argv.end());
    step.environment = keep_slurm_variables(environment);
    CKPT_TRY(const std::string uuid, make_uuid());
    set(step.environment, k_uuid, uuid);
    set(step.environment, wire::k_script_variable, restores(options) ? wire::k_restore : wire::k_fresh);
    return step;
}

} // namespace ckpt
