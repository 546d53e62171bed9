// SPDX-License-Identifier: GPL-2.0-or-later
// Before anything of the job runs on this node. slurmd's credential says who and which incarnation it is
// (slurm src/plugins/prep/script/prep_script_slurmd.c:_build_env); nothing later in the job's life is as
// trustworthy.
#include <fcntl.h>

#include <cstdlib>
#include <cstring>

#include "ckptd.hpp"
#include "decision.hpp"
#include "hooks.hpp"
#include "job_script.hpp"
#include "options/slurm_settings.hpp"
#include "os/files.hpp"
#include "policy/policy_yaml.hpp"
#include "slurm_configuration.hpp"

namespace ckpt {

namespace {

// Longer than any valid value; ckptd refuses what was cut.
constexpr std::size_t k_value_max = 2048;

std::uint32_t number(const char* name, std::uint32_t fallback) {
    const char* text = std::getenv(name);
    if (text == nullptr || *text == '\0') return fallback;
    char* end = nullptr;
    const unsigned long value = std::strtoul(text, &end, 10);
    return *end == '\0' && value <= UINT32_MAX ? static_cast<std::uint32_t>(value) : fallback;
}

std::string text(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? std::string(value).substr(0, k_value_max) : std::string();
}

// "20(x2),4" is 44 (env.c:uint32_compressed_to_str). 0 for anything else.
std::uint32_t cpus_in(const std::string& text) {
    std::uint64_t sum = 0;
    const char* at = text.c_str();
    while (*at != '\0') {
        char* end = nullptr;
        const unsigned long cpus = std::strtoul(at, &end, 10);
        unsigned long times = 1;
        if (end != at && std::strncmp(end, "(x", 2) == 0) {
            times = std::strtoul(end + 2, &end, 10);
            if (*end++ != ')') return 0;
        }
        if (end == at || (*end != ',' && *end != '\0')) return 0;
        sum += std::uint64_t{cpus} * times;
        at = *end == ',' ? end + 1 : end;
    }
    return sum <= UINT32_MAX ? static_cast<std::uint32_t>(sum) : 0;
}

// Next to the slurm.conf that slurmd names, which in a cluster without configuration files on its nodes is
// its cache. Without such a file Slurm's defaults are in force.
std::string cgroup_conf() {
    constexpr std::size_t k_longest = 1U << 20;
    const std::string slurm_conf = text("SLURM_CONF");
    const std::string path = slurm_conf.substr(0, slurm_conf.rfind('/') + 1) + "cgroup.conf";
    if (!path.starts_with('/')) return {};
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    return file ? read_all(file.get(), k_longest).value_or(std::string()) : std::string();
}

std::string unsupported_here() {
    if (!text("SLURM_HET_JOB_ID").empty()) return heterogeneous_job().what;
    const slurm_conf_t* conf = slurm_configuration();
    const bool known = conf != nullptr && conf->proctrack_type != nullptr;
    const auto error =
        unsupported_setting(known ? conf->proctrack_type : "", signals_children(cgroup_conf()));
    return error ? error->what + "; " + error->hint : std::string();
}

} // namespace

void job_prolog(spank_t spank, const Settings& settings) {
    GivenOptions options = options_in_job_script(spank);
    const ScopeFacts facts{text("SLURM_JOB_USER"), text("SLURM_JOB_ACCOUNT"), text("SLURM_JOB_QOS"),
                           text("SLURM_JOB_PARTITION"), text("SLURM_JOB_CONSTRAINTS")};
    if (!is_ours(options, settings, [&] { return facts; })) return;
    if (options.empty() && on_by_argument(settings, load_policy(settings.policy), facts))
        options.set(option_row(Option::checkpoint), "on");
    wire::JobOpen open;
    uid_t uid = 0;
    gid_t gid = 0;
    if (spank_get_item(spank, S_JOB_ID, &open.job_id) != ESPANK_SUCCESS ||
        spank_get_item(spank, S_JOB_UID, &uid) != ESPANK_SUCCESS ||
        spank_get_item(spank, S_JOB_GID, &gid) != ESPANK_SUCCESS)
        return slurm_info("checkpoint: Slurm does not say which job this is");
    open.uid = uid;
    open.gid = gid;
    open.restart_count = number("SLURM_JOB_RESTART_COUNT", 0);
    open.end_time = number("SLURM_JOB_END_TIME", 0);
    open.nodes = number("SLURM_JOB_NUM_NODES", 1);
    open.cpus = cpus_in(text("SLURM_JOB_CPUS_PER_NODE"));
    if (const slurm_conf_t* conf = slurm_configuration()) open.kill_wait = conf->kill_wait;
    open.unsupported = unsupported_here();
    open.user = facts.user;
    open.cluster = text("SLURM_CLUSTER_NAME");
    open.uuid = text("SPANK_CKPT_UUID");
    open.node = text("SLURMD_NODENAME");
    open.account = facts.account;
    open.qos = facts.qos;
    open.partition = facts.partition;
    open.constraint = facts.constraint;
    for (const auto& [name, value] : options.list())
        open.options.push_back({name, value.substr(0, k_value_max)});
    if (const auto reply = ask_ckptd(wire::encode(open)); !reply)
        slurm_info("checkpoint: job %u runs without checkpoints: %s", open.job_id,
                   one_line(reply.error()).c_str());
}

} // namespace ckpt
