// SPDX-License-Identifier: GPL-2.0-or-later
// The life of a task: forked, about to exec, ended. Nothing here may take long: the task's first signal waits
// for it (slurm src/slurmd/slurmstepd/req.c:_wait_for_job_running).
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "ckptd.hpp"
#include "environment.hpp"
#include "hooks.hpp"
#include "option_callback.hpp"
#include "srun/kept_environment.hpp"
#include "step.hpp"
#include "wire/allocation.hpp"
#include "wire/shim_state.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_value_max = 100;   // of an option: longer than any valid one
constexpr std::size_t k_option_max = 2048; // of one that may be a path
constexpr const char* k_shim = CKPT_LIBEXEC_DIR "/ckpt-shim";

void log_failure(const char* what, const Result<wire::Reply>& reply) {
    if (!reply) slurm_info("checkpoint: %s: %s", what, one_line(reply.error()).c_str());
}

bool identify(spank_t spank, std::uint32_t& job, std::uint32_t& step, std::uint32_t& task) {
    return spank_get_item(spank, S_JOB_ID, &job) == ESPANK_SUCCESS &&
           spank_get_item(spank, S_JOB_STEPID, &step) == ESPANK_SUCCESS &&
           spank_get_item(spank, S_TASK_GLOBAL_ID, &task) == ESPANK_SUCCESS;
}

std::vector<std::uint32_t> groups_of(spank_t spank) {
    gid_t* groups = nullptr;
    int count = 0;
    if (spank_get_item(spank, S_JOB_SUPPLEMENTARY_GIDS, &groups, &count) != ESPANK_SUCCESS) return {};
    return {groups, groups + count};
}

// What both forms of the registration say.
template <typename Register>
bool describe(spank_t spank, Register& message) {
    pid_t pid = 0;
    uid_t uid = 0;
    gid_t gid = 0;
    if (!identify(spank, message.job_id, message.step_id, message.task_id) ||
        spank_get_item(spank, S_TASK_PID, &pid) != ESPANK_SUCCESS ||
        spank_get_item(spank, S_JOB_UID, &uid) != ESPANK_SUCCESS ||
        spank_get_item(spank, S_JOB_GID, &gid) != ESPANK_SUCCESS)
        return false;
    message.pid = pid;
    message.uid = uid;
    message.gid = gid;
    message.groups = groups_of(spank);
    return true;
}

// "" when Slurm does not say which task this is.
std::string registration_of_batch(spank_t spank) {
    wire::TaskRegister message;
    if (!describe(spank, message)) return "";
    message.batch = true;
    return wire::encode(message);
}

bool describe_step(spank_t spank, wire::StepTaskRegister& message) {
    return describe(spank, message) &&
           spank_get_item(spank, S_JOB_TOTAL_TASK_COUNT, &message.step_tasks) == ESPANK_SUCCESS &&
           spank_get_item(spank, S_JOB_NNODES, &message.step_nodes) == ESPANK_SUCCESS;
}

std::string registration_in_step(spank_t spank, std::uint64_t stand_in) {
    wire::StepTaskRegister message;
    if (!describe_step(spank, message)) return "";
    message.stand_in = stand_in;
    for (const auto& [name, value] : given_options().list())
        if (name == option_row(Option::checkpoint).name || name == option_row(Option::interval).name)
            message.options.push_back({name, value.substr(0, k_value_max)});
    return wire::encode(message);
}

std::string registration_in_allocation(spank_t spank, std::uint64_t stand_in) {
    wire::AllocationTaskRegister message;
    const char* uuid = job_variable(spank, uuid_in_job().c_str());
    if (uuid == nullptr || !describe_step(spank, message.task)) return "";
    message.uuid = std::string_view(uuid).substr(0, k_value_max);
    message.task.stand_in = stand_in;
    for (const auto& [name, value] : given_options().list())
        message.task.options.push_back({name, value.substr(0, k_option_max)});
    return wire::encode(message);
}

std::string registration(spank_t spank) {
    if (kind_of(spank) == StepKind::batch) return registration_of_batch(spank);
    const std::uint64_t stand_in = stands_for_script(spank) ? 0 : stand_in_of(spank).value_or(0);
    if (is_in_allocation(spank)) return registration_in_allocation(spank, stand_in);
    return stand_in != 0 ? registration_in_step(spank, stand_in) : "";
}

// A file is emptied, a pipe or a terminal has nothing to empty.
void empty_output(int fd) {
    struct stat status{};
    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return;
    if (::ftruncate(fd, 0) != 0) slurm_info("checkpoint: empty the output file: %s", std::strerror(errno));
}

// Of the batch script; the output files of a step are its srun's affair.
void adjust_output(spank_t spank) {
    const Environment environment = [spank](const char* name) { return job_variable(spank, name); };
    if (must_truncate(environment)) {
        empty_output(STDOUT_FILENO);
        empty_output(STDERR_FILENO);
    }
    // slurmctld tells the job which open mode its user chose (job_scheduler.c:_set_job_env), who chose none.
    if (made_append(environment)) spank_unsetenv(spank, "SLURM_OPEN_MODE");
}

// What says so is for a step's shim only, which takes it away itself.
void hide_stand_in(spank_t spank) {
    spank_unsetenv(spank, wire::k_stand_in_variable);
    spank_unsetenv(spank, wire::k_unbuffered_variable);
}

// What the step's own srun was given is not what the srun in it is to take for the user's.
void give_back_environment(spank_t spank) {
    char** environment = nullptr;
    if (spank_get_item(spank, S_JOB_ENV, &environment) != ESPANK_SUCCESS || environment == nullptr) return;
    std::vector<std::string> here;
    for (char** variable = environment; *variable != nullptr; ++variable)
        here.emplace_back(*variable);
    const std::vector<std::string> there = give_back_slurm_variables(here);
    const auto name_of = [](const std::string& variable) { return variable.substr(0, variable.find('=')); };
    for (const std::string& variable : here)
        if (std::ranges::find(there, variable) == there.end())
            spank_unsetenv(spank, name_of(variable).c_str());
    for (const std::string& variable : there)
        if (std::ranges::find(here, variable) == here.end())
            spank_setenv(spank, name_of(variable).c_str(), variable.c_str() + name_of(variable).size() + 1,
                         1);
}

// The shim says what slurmstepd would say of a program that cannot be executed (src/common/log.c:_log_msg).
void tell_how_slurmstepd_speaks(spank_t spank) {
    if constexpr (SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(25, 5, 0))
        spank_setenv(spank, wire::k_dated_messages_variable, "1", 1);
}

void prepend_shim(spank_t spank) {
    std::array<const char*, 1> shim{k_shim};
    const spank_err_t error = spank_prepend_task_argv(spank, static_cast<int>(shim.size()), shim.data());
    if (error == ESPANK_SUCCESS) return tell_how_slurmstepd_speaks(spank);
    hide_stand_in(spank);
    slurm_info("checkpoint: the job runs without checkpoints: %s", spank_strerror(error));
}

} // namespace

// The task stands before its exec and waits for us: what ckptd learns about it now, nobody can have changed.
void task_forked(spank_t spank, const Settings& /*settings*/) {
    if (!is_managed()) return;
    const std::string message = registration(spank);
    if (message.empty()) return slurm_info("checkpoint: Slurm does not say which task this is");
    log_failure("register the task", ask_ckptd(message));
}

// In the task itself, as the user, after the environment was completed and before the exec (stepd
// task.c:exec_task).
void task_init(spank_t spank, const Settings& /*settings*/) {
    if (!is_managed()) return;
    if (kind_of(spank) == StepKind::batch) {
        adjust_output(spank);
        hide_stand_in(spank); // set by the user, it would make the shim take the script for a step's task
    }
    if (stands_for_script(spank))
        give_back_environment(spank);
    else
        spank_unsetenv(spank, wire::k_script_variable); // likewise
    // In a container's root there may be no shim; the task then runs as it is.
    if (::access(k_shim, X_OK) == 0) return prepend_shim(spank);
    const int reason = errno;
    hide_stand_in(spank);
    slurm_info("checkpoint: %s: %s; the job runs without checkpoints", k_shim, std::strerror(reason));
}

void task_ended(spank_t spank, const Settings& /*settings*/) {
    if (!is_managed()) return;
    wire::TaskExit message;
    if (!identify(spank, message.job_id, message.step_id, message.task_id)) return;
    spank_get_item(spank, S_TASK_EXIT_STATUS, &message.wait_status);
    log_failure("sign the task off", ask_ckptd(wire::encode(message)));
}

} // namespace ckpt
