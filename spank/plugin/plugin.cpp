// SPDX-License-Identifier: GPL-2.0-or-later
// checkpoint.so: the symbols that Slurm looks up. Each only finds out where it runs and hands on.
//
// Every hook returns 0: a plugin that fails on a compute node drains it (slurm src/slurmd/slurmstepd/mgr.c,
// src/slurmd/slurmd/req.c), and a job that cannot be checkpointed must run nevertheless.
#include <exception>

#include "hooks.hpp"
#include "spank_api.hpp"

#pragma GCC visibility push(default)
extern "C" {
// A constant is otherwise local to this file in C++.
extern const char plugin_name[];
extern const char plugin_type[];
extern const unsigned int plugin_version;
extern const unsigned int spank_plugin_version;
SPANK_PLUGIN(checkpoint, 1)
}

namespace {

using Hook = void (*)(spank_t, const ckpt::Settings&);

int run(Hook hook, const char* name, spank_t spank, int argc, char** argv) noexcept {
    try {
        hook(spank, ckpt::settings_from(argc, argv));
    } catch (const std::exception& e) {
        slurm_info("checkpoint: %s: %s", name, e.what());
    }
    return 0;
}

bool at_submit() {
    const spank_context_t context = spank_context();
    return context == S_CTX_LOCAL || context == S_CTX_ALLOCATOR;
}

} // namespace

extern "C" {

int slurm_spank_init(spank_t spank, int argc, char* argv[]) {
    if (at_submit()) return run(ckpt::submit_init, "init", spank, argc, argv);
    if (spank_context() == S_CTX_REMOTE) return run(ckpt::step_init, "init", spank, argc, argv);
    return 0;
}

int slurm_spank_init_post_opt(spank_t spank, int argc, char* argv[]) {
    if (at_submit()) return run(ckpt::submit_options_known, "init_post_opt", spank, argc, argv);
    if (spank_context() == S_CTX_REMOTE)
        return run(ckpt::step_options_known, "init_post_opt", spank, argc, argv);
    return 0;
}

int slurm_spank_job_prolog(spank_t spank, int argc, char* argv[]) {
    return run(ckpt::job_prolog, "job_prolog", spank, argc, argv);
}

int slurm_spank_task_post_fork(spank_t spank, int argc, char* argv[]) {
    return run(ckpt::task_forked, "task_post_fork", spank, argc, argv);
}

int slurm_spank_task_init(spank_t spank, int argc, char* argv[]) {
    return run(ckpt::task_init, "task_init", spank, argc, argv);
}

int slurm_spank_task_exit(spank_t spank, int argc, char* argv[]) {
    return run(ckpt::task_ended, "task_exit", spank, argc, argv);
}

int slurm_spank_job_epilog(spank_t spank, int argc, char* argv[]) {
    return run(ckpt::job_epilog, "job_epilog", spank, argc, argv);
}
}
#pragma GCC visibility pop
