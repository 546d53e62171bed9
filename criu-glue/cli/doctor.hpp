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

// Slurm, as its own programs and files tell of it.
struct SlurmFacts {
    bool has_scontrol = false;
    std::map<std::string, std::string> config; // of `scontrol show config`; empty: it did not answer
    std::string plugstack;                     // path of the file
    std::optional<std::string> plugin_line;    // of checkpoint.so in it, or in what it includes
    bool is_plugin_there = false;              // the file that the line names
    std::optional<bool> sbatch_knows; // `sbatch --help` lists --checkpoint; nothing: there is no sbatch
};

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
    bool has_store = false;       // the directory above the users' own
    std::string store;            // which is that
    std::uint64_t local_free = 0; // bytes
    bool has_local = false;
    bool has_leases = true; // or needs none
};

std::vector<Finding> judge_slurm(const SlurmFacts& slurm, const Policy& policy);
std::vector<Finding> judge_host(const HostFacts& host, const Policy& policy);

// Of the text of plugstack.conf: the line that loads checkpoint.so, and the patterns of its include lines.
std::optional<std::string> plugin_line_in(const std::string& plugstack);
std::vector<std::string> includes_in(const std::string& plugstack);
// Of the output of `scontrol show config`.
std::map<std::string, std::string> config_in(const std::string& output);

std::string findings_text(const std::vector<Finding>& findings);
std::string findings_json(const std::vector<Finding>& findings);

// Looks, prints, and returns false when something is bad.
Result<bool> doctor(const std::string& policy_file, bool json);

} // namespace ckpt::cli
