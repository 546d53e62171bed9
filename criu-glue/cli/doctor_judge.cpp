// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <charconv>
#include <format>
#include <sstream>

#include <nlohmann/json.hpp>

#include "doctor.hpp"
#include "policy/text.hpp"
#include "table.hpp"
#include "text/text.hpp"

namespace ckpt::cli {

namespace {

using Health = Finding::Health;
using Findings = std::vector<Finding>;

constexpr const char* k_proctrack = "proctrack/cgroup";
constexpr int k_killwait = 30; // slurm.conf's default
constexpr int k_epilog_longest =
    1800; // a commit that the epilog waits for (docs/policy.md, failure.epilog_wait)
constexpr std::uint64_t k_local_least = 4ULL << 30;

std::string value_of(const SlurmFacts& slurm, const std::string& name) {
    const auto found = slurm.config.find(name);
    return found != slurm.config.end() ? found->second : std::string();
}

// "30 sec"; nothing for "(null)" or "UNLIMITED".
std::optional<int> number_of(const std::string& text) {
    int value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    return parsed.ec == std::errc() ? std::optional(value) : std::nullopt;
}

// Numbers of a version or release: "6.16.3-amd64" is 6, 16.
std::pair<int, int> first_two(const std::string& version) {
    const int major = number_of(version).value_or(0);
    const std::size_t dot = version.find('.');
    return {major, dot != std::string::npos ? number_of(version.substr(dot + 1)).value_or(0) : 0};
}

bool is_argument(const std::string& word) {
    return word.starts_with("policy=/") || word == "default=on" || word == "default=off";
}

void judge_plugin(const SlurmFacts& slurm, Findings& out) {
    if (!slurm.plugin) {
        out.push_back({Health::bad, "plugin", "checkpoint.so is not in " + slurm.plugstack,
                       "add the line: optional checkpoint.so"});
        return;
    }
    const PluginLine& line = *slurm.plugin;
    for (const std::string& argument : line.arguments)
        if (!is_argument(argument))
            out.push_back({Health::bad, "plugin",
                           quote(argument) + " in " + line.file + " is no argument of checkpoint.so",
                           "policy=/FILE and default=on|off are"});
    if (!slurm.is_plugin_there)
        out.push_back({Health::bad, "plugin", line.path + ", named in " + line.file + ", is not there",
                       "install the package of the plugin for this Slurm"});
    else if (line.how == "required")
        out.push_back({Health::warning, "plugin",
                       "it is required in " + line.file + ": should it ever fail, so do jobs",
                       "write optional in place of required"});
    else if (slurm.sbatch_knows == false)
        out.push_back({Health::bad, "plugin",
                       "sbatch --help does not know --checkpoint: Slurm does not load checkpoint.so",
                       "it has to be built for this Slurm; sbatch -vv says why it is not loaded"});
    else
        out.push_back({Health::good, "plugin", line.how + " " + line.path + " in " + line.file, ""});
}

void judge_signals(const SlurmFacts& slurm, Findings& out) {
    const std::string tracking = value_of(slurm, "ProctrackType");
    if (tracking != k_proctrack)
        out.push_back({Health::bad, "ProctrackType",
                       tracking + ": Slurm's SIGTERM ends programs before they are saved",
                       "ProctrackType=proctrack/cgroup in slurm.conf"});
    else
        out.push_back({Health::good, "ProctrackType", tracking, ""});
    if (slurm.signals_children || value_of(slurm, "SignalChildrenProcesses") == "yes")
        out.push_back({Health::bad, "SignalChildrenProcesses",
                       "yes: Slurm's SIGTERM ends programs before they are saved",
                       "SignalChildrenProcesses=no in cgroup.conf"});
}

void judge_times(const SlurmFacts& slurm, const Policy& policy, Findings& out) {
    const int wait = number_of(value_of(slurm, "KillWait")).value_or(k_killwait);
    if (wait < k_killwait)
        out.push_back(
            {Health::warning, "KillWait",
             std::format("{} s: a last checkpoint at a requeue or preemption has to fit into it", wait),
             "KillWait=30 or more; a job of 10 GB takes about a minute"});
    else
        out.push_back({Health::good, "KillWait", std::format("{} s", wait), ""});
    const int epilog = number_of(value_of(slurm, "PrologEpilogTimeout")).value_or(k_epilog_longest);
    const auto least = std::max<std::int64_t>(policy.failure.epilog_wait.count(), k_epilog_longest);
    if (epilog < least)
        out.push_back(
            {Health::warning, "PrologEpilogTimeout",
             std::format(
                 "{} s: the epilog waits longer for a last checkpoint on its way, up to {} s, and the node "
                 "would be drained",
                 epilog, least),
             std::format("leave it unset, or {} and more", least)});
}

} // namespace

std::vector<Finding> judge_slurm(const SlurmFacts& slurm, const Policy& policy) {
    Findings out;
    if (slurm.config.empty()) {
        out.push_back({Health::unknown, "slurm.conf",
                       slurm.has_scontrol ? "slurmctld does not answer" : "there is no scontrol in the PATH",
                       slurm.has_scontrol ? "see `scontrol ping`" : "run this where Slurm's commands are"});
        return out;
    }
    judge_plugin(slurm, out);
    judge_signals(slurm, out);
    judge_times(slurm, policy, out);
    if (value_of(slurm, "MpiDefault") == "pmi2")
        out.push_back(
            {Health::warning, "MpiDefault",
             "pmi2: each task of a step is connected to slurmstepd, MPI or not, and no job with one "
             "is saved while it runs",
             "MpiDefault=none in slurm.conf; who needs it says srun --mpi=pmi2"});
    if (value_of(slurm, "JobRequeue") == "0")
        out.push_back({Health::warning, "JobRequeue",
                       "0: jobs are saved, but go on by themselves only with --requeue",
                       "JobRequeue=1 in slurm.conf"});
    if (policy.network.port != 0 && value_of(slurm, "AuthType") != "auth/munge")
        out.push_back({Health::warning, "AuthType",
                       value_of(slurm, "AuthType") + ": nodes authenticate to each other with MUNGE",
                       "run munged on all nodes, or set network.port to none in the policy"});
    return out;
}

namespace {

void judge_criu(const HostFacts& host, const Policy& policy, Findings& out) {
    if (host.criu_version.empty()) {
        out.push_back({Health::bad, "criu", policy.engine.criu + " does not run",
                       "install CRIU 4.2.1 or later, or name it in engine.criu of the policy"});
        return;
    }
    const auto version = first_two(host.criu_version);
    const std::string name = "CRIU " + host.criu_version;
    if (version < std::pair(4, 1))
        out.push_back(
            {Health::bad, "criu", name + " is older than what is supported", "install 4.2.1 or later"});
    else if (first_two(host.kernel) < std::pair(6, 7))
        out.push_back({Health::bad, "kernel", "Linux " + host.kernel + " is older than what is supported",
                       "Linux 6.7 or later"});
    else if (version < std::pair(4, 2))
        out.push_back({Health::warning, "criu",
                       name + (first_two(host.kernel) >= std::pair(6, 16) // criu#2705
                                   ? " cannot save IP sockets on Linux " + host.kernel
                                   : " is older than 4.2.1, with which this release is tested"),
                       "install 4.2.1 or later: MPI and other programs with sockets need it"});
    else if (host.criu_check && !host.criu_check->empty())
        out.push_back({Health::bad, "criu", "`criu check`: " + *host.criu_check, "see `criu check --all`"});
    else
        out.push_back({Health::good, "criu", name + (host.criu_check ? "" : "; root can check more"), ""});
}

void judge_daemon(const HostFacts& host, Findings& out) {
    if (host.daemon)
        out.push_back({Health::bad, "ckptd", host.daemon->what,
                       host.daemon->hint.empty() ? "systemctl status ckptd" : host.daemon->hint});
    else
        out.push_back({Health::good, "ckptd", "it answers", ""});
    if (!host.missing_program.empty())
        out.push_back(
            {Health::bad, "programs", host.missing_program + " is missing", "install the package again"});
    if (!host.has_account)
        out.push_back({Health::bad, "account", "there is no account slurm-checkpoint", "systemd-sysusers"});
}

void judge_key(const HostFacts& host, Findings& out) {
    if (host.key && !host.is_root && host.key->code == Code::not_permitted)
        out.push_back({Health::unknown, "key", "only root can look at it", ""});
    else if (host.key)
        out.push_back({Health::bad, "key", host.key->what, host.key->hint});
    else
        out.push_back({Health::good, "key", "it is there, and root's", ""});
}

void judge_storage(const HostFacts& host, const Policy& policy, Findings& out) {
    out.push_back(judge_store(host.store));
    if (!host.has_local)
        out.push_back({Health::warning, "storage.local", policy.storage.local + " is not there yet",
                       "ckptd makes it when it starts"});
    else if (host.local_free < k_local_least)
        out.push_back({Health::warning, "storage.local",
                       std::format("{} free in {}: a checkpoint takes as much as the job's memory",
                                   text::bytes(host.local_free), policy.storage.local),
                       "name a larger file system in storage.local of the policy"});
    else
        out.push_back({Health::good, "storage.local",
                       text::bytes(host.local_free) + " free in " + policy.storage.local, ""});
    if (!host.has_leases)
        out.push_back({Health::warning, "admission.leases",
                       policy.admission.leases + " is not there: nothing is limited",
                       "make it for slurm-checkpoint, mode 0700, on a file system of all nodes"});
}

const char* word_of(Health health) {
    switch (health) {
    case Health::good:
        return "ok";
    case Health::unknown:
        return "?";
    case Health::warning:
        return "WARN";
    case Health::bad:
        return "BAD";
    }
    return "";
}

} // namespace

std::vector<Finding> judge_host(const HostFacts& host, const Policy& policy) {
    Findings out;
    if (!host.is_compute) {
        out.push_back({Health::unknown, "node",
                       "no node of Slurm's, and no ckptd: jobs can be submitted here, and sckpt "
                       "list and show need ckptd",
                       "run this on a compute node too"});
        return out;
    }
    judge_daemon(host, out);
    judge_criu(host, policy, out);
    judge_key(host, out);
    judge_storage(host, policy, out);
    if (policy.network.port != 0 && !host.has_munge)
        out.push_back({Health::warning, "munge",
                       "munged does not run here: steps on several nodes are not checkpointed",
                       "start munged, or set network.port to none in the policy"});
    return out;
}

std::optional<PluginLine> plugin_line_in(const std::string& plugstack) {
    std::istringstream lines(plugstack);
    for (std::string line; std::getline(lines, line);) {
        line.resize(std::min(line.find('#'), line.size()));
        std::istringstream words(line);
        std::string how;
        std::string path;
        if (!(words >> how >> path) || (how != "optional" && how != "required")) continue;
        if (path.substr(path.rfind('/') + 1) != "checkpoint.so") continue;
        PluginLine found{how, path, {}, {}};
        for (std::string argument; words >> argument;)
            found.arguments.push_back(argument);
        return found;
    }
    return std::nullopt;
}

bool signals_children_in(const std::string& cgroup_conf) {
    std::istringstream lines(cgroup_conf);
    for (std::string line; std::getline(lines, line);) {
        line = lower(line.substr(0, line.find('#')));
        std::erase_if(line, [](char c) { return c == ' ' || c == '\t' || c == '"'; });
        const std::size_t equals = line.find('=');
        if (equals == std::string::npos || line.substr(0, equals) != "signalchildrenprocesses") continue;
        const std::string value = line.substr(equals + 1);
        return value == "yes" || value == "up" || value == "true" || value == "1";
    }
    return false;
}

std::vector<std::string> includes_in(const std::string& plugstack) {
    std::vector<std::string> patterns;
    std::istringstream lines(plugstack);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line.substr(0, line.find('#')));
        std::string how;
        std::string pattern;
        if (words >> how >> pattern && how == "include") patterns.push_back(pattern);
    }
    return patterns;
}

std::map<std::string, std::string> config_in(const std::string& output) {
    std::map<std::string, std::string> config;
    std::istringstream lines(output);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t equals = line.find('=');
        if (equals == std::string::npos) continue;
        std::string name = line.substr(0, equals);
        name.resize(name.find_last_not_of(' ') + 1);
        const std::size_t value = line.find_first_not_of(' ', equals + 1);
        if (!name.empty()) config[name] = value != std::string::npos ? line.substr(value) : std::string();
    }
    return config;
}

std::string findings_text(const std::vector<Finding>& findings) {
    Table table({{"", false}, {"CHECK", false}, {"FOUND", false}});
    for (const Finding& one : findings)
        table.add({word_of(one.health), one.check, one.what + (one.remedy.empty() ? "" : "; " + one.remedy)});
    return table.text(true);
}

std::string findings_json(const std::vector<Finding>& findings) {
    std::string text;
    for (const Finding& one : findings) {
        const nlohmann::json object = {{"check", one.check},
                                       {"health", word_of(one.health)},
                                       {"found", one.what},
                                       {"remedy", one.remedy}};
        text += object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    }
    return text;
}

} // namespace ckpt::cli
