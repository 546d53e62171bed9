// SPDX-License-Identifier: GPL-2.0-or-later
// sckpt doctor: what is wrong with this host, for checkpoints, and what to do about it. Gathering facts and
// judging them are apart, so that the judgement can be tested.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policy/policy.hpp"
#include "result/result.hpp"

namespace ckpt::cli {

struct Finding {
    enum class Health : std::uint8_t { good, unknown, warning, bad } health = Health::good;
    std::string check; // "criu"
    std::string what;
    std::string remedy; // "" where there is nothing to do
};

// A line of plugstack.conf that loads checkpoint.so.
struct PluginLine {
    std::string how;  // "optional"
    std::string path; // of the plugin, as it stands there
    std::vector<std::string> arguments;
    std::string file; // where the line is
};

// Slurm, as its own programs and files tell of it.
struct SlurmFacts {
    bool has_scontrol = false;
    std::map<std::string, std::string> config; // of `scontrol show config`; empty: it did not answer
    std::string plugstack;                     // path of the file
    std::optional<PluginLine> plugin;          // of checkpoint.so in it, or in what it includes
    bool is_plugin_there = false;              // the file that the line names
    std::optional<bool> sbatch_knows; // `sbatch --help` lists --checkpoint; nothing: there is no sbatch
    bool signals_children = false;    // SignalChildrenProcesses in this host's cgroup.conf
};

// The directory above the users' own.
struct StoreFacts {
    std::string path;
    bool users_make_own = false; // its policy has %u: root need not be able to make anything below it
    int errnum = 0;              // why it cannot be looked at; 0 = it can
    bool is_directory = false;
    bool is_read_only = false;
    bool is_mount_point = false;
    std::string local_type; // "ext4": as file systems of one node alone are; "" = another one
    std::uint32_t uid = 0;
    std::uint32_t mode = 0; // permission bits
};
StoreFacts look_at_store(const Policy& policy);
Finding judge_store(const StoreFacts& store);

// This host.
struct HostFacts {
    bool is_root = false;
    bool is_compute = false;               // slurmctld knows a node of this name, or ckptd's socket is there
    std::string kernel;                    // "6.12.1"
    std::string criu_version;              // "4.2.1"; "" = the program does not run
    std::optional<std::string> criu_check; // what `criu check` complains of, "" = nothing; none: not asked
    std::optional<Error> daemon;           // why ckptd does not answer as it should
    std::optional<Error> key;              // what is wrong with the key file; only root can tell
    bool has_account = false;              // that ckpt-sealer runs as
    bool has_munge = false;
    std::string missing_program;  // of ours
    StoreFacts store;
    std::uint64_t local_free = 0; // bytes
    bool has_local = false;
    bool has_leases = true; // or needs none
};

std::vector<Finding> judge_slurm(const SlurmFacts& slurm, const Policy& policy);
std::vector<Finding> judge_host(const HostFacts& host, const Policy& policy);

// Of the text of plugstack.conf: the line that loads checkpoint.so, and the patterns of its include lines.
std::optional<PluginLine> plugin_line_in(const std::string& plugstack);
std::vector<std::string> includes_in(const std::string& plugstack);
// Of the output of `scontrol show config`.
std::map<std::string, std::string> config_in(const std::string& output);

std::string findings_text(const std::vector<Finding>& findings);
std::string findings_json(const std::vector<Finding>& findings);

// Whether cgroup.conf's text switches SignalChildrenProcesses on (slurm src/common/parse_config.c: yes, up, true, 1).
bool signals_children_in(const std::string& cgroup_conf);

// Looks, prints, and returns false when something is bad. "" for the policy's file: the one that the plugin uses.
Result<bool> doctor(const std::string& policy_file, bool json);

} // namespace ckpt::cli
