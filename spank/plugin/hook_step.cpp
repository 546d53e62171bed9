// SPDX-License-Identifier: GPL-2.0-or-later
// slurmstepd before it forks any task, as root.
#include <pwd.h>
#include <sched.h>

#include <cerrno>
#include <cstring>

#include "decision.hpp"
#include "environment.hpp"
#include "hooks.hpp"
#include "option_callback.hpp"
#include "step.hpp"

namespace ckpt {

namespace {

// As slurmctld has put it into the environment of the batch step (env.c:env_array_for_batch_job).
ScopeFacts facts_of(spank_t spank) {
    const auto text = [spank](const char* name) {
        const char* value = job_variable(spank, name);
        return value != nullptr ? std::string(value) : std::string();
    };
    uid_t uid = 0;
    std::string user; // SLURM_JOB_USER comes later (env.c:setup_env)
    if (spank_get_item(spank, S_JOB_UID, &uid) == ESPANK_SUCCESS)
        if (const passwd* entry = ::getpwuid(uid)) user = entry->pw_name;
    return {user, text("SLURM_JOB_ACCOUNT"), text("SLURM_JOB_QOS"), text("SLURM_JOB_PARTITION"), {}};
}

bool is_our_job(spank_t spank, const Settings& settings) {
    GivenOptions options = given_options();
    if (options.empty())
        options = options_in_job_environment([spank](const char* name) { return job_variable(spank, name); });
    return is_ours(options, settings, [spank] { return facts_of(spank); });
}

} // namespace

void step_init(spank_t spank, const Settings& /*settings*/) {
    register_options(spank);
}

// Slurm calls this in the thread that forks the tasks (stepd mgr.c:job_manager), so that they inherit the
// namespace.
void step_options_known(spank_t spank, const Settings& settings) {
    set_managed(false);
    const StepKind kind = kind_of(spank);
    if (kind != StepKind::batch && kind != StepKind::normal) return;
    // The runtime of an OCI container starts the task in a root of its own (stepd container.c), without our
    // shim.
    if (job_variable(spank, "SLURM_CONTAINER") != nullptr) return;
    const bool is_asked_for = stand_in_of(spank) || stands_for_script(spank);
    if (kind == StepKind::batch ? !is_our_job(spank, settings) : !is_asked_for) return;
    set_managed(true);
    // System V shared memory can only be dumped in an IPC namespace of the job's own; the tasks of a step
    // share one on each node.
    if (::unshare(CLONE_NEWIPC) != 0)
        slurm_info("checkpoint: no IPC namespace for the job: %s", std::strerror(errno));
}

} // namespace ckpt
