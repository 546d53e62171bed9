// SPDX-License-Identifier: GPL-2.0-or-later
// Slurm's side of the SPANK interface for the unit tests: says what it is told to, remembers what the plugin
// did.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "plugin/spank_api.hpp"

namespace ckpt::test {

struct FakeSpank {
    // What the plugin is told.
    spank_context_t context = S_CTX_REMOTE;
    std::uint32_t job_id = 42;
    std::uint32_t step_id = SLURM_BATCH_SCRIPT;
    uid_t uid = 2001;
    gid_t gid = 2001;
    std::vector<gid_t> groups{2001};
    pid_t task_pid = 0;
    std::uint32_t task_id = 0;
    std::uint32_t step_tasks = 1;
    std::uint32_t step_nodes = 1;
    std::vector<std::string> job_environment;              // "NAME=value"
    std::map<std::string, std::string> job_script_options; // as prolog and epilog find them

    // What it did.
    std::vector<spank_option> registered;
    std::vector<std::string> registered_names;
    std::map<std::string, std::string> job_control;
    std::vector<std::string> prepended;
    std::vector<std::string> unset;
    std::map<std::string, std::string> set;
    std::vector<std::string> log;
    bool complained = false; // slurm_error, which reaches the user as an error

    // Slurm's calling of an option's callback; `argument` may be nullptr.
    int give(const std::string& name, const char* argument, bool remote) const;
    spank_t handle() { return reinterpret_cast<spank_t>(this); }
};

// The one that the C functions speak for.
FakeSpank& fake_spank();
void reset_fake_spank();

} // namespace ckpt::test
