// SPDX-License-Identifier: GPL-2.0-or-later
#include "doctor.hpp"

#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <sstream>

#include "fetch.hpp"
#include "os/files.hpp"
#include "policy/policy_yaml.hpp"
#include "policy/resolve.hpp"
#include "programs.hpp"
#include "store/key.hpp"
#include "wire/messages.hpp"

namespace ckpt::cli {

namespace {

constexpr const char* k_policy = "/etc/slurm/checkpoint.yaml";
constexpr const char* k_key = "/etc/slurm/checkpoint.key";
constexpr const char* k_account = "slurm-checkpoint";
constexpr const char* k_munge_socket = "/run/munge/munge.socket.2";
constexpr std::size_t k_file_max = 1U << 20U;

std::string output_of(const std::vector<std::string>& command) {
    const auto done = run_program(command, -1, true);
    return done && done->succeeded ? done->output : std::string();
}

std::string text_of(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    return file ? read_all(file.get(), k_file_max).value_or(std::string()) : std::string();
}

bool exists(const std::string& path) {
    struct stat st{};
    return ::stat(path.c_str(), &st) == 0;
}

std::string directory_of(const std::string& path) {
    return path.substr(0, path.rfind('/') + 1);
}

std::vector<std::string> files_of(const std::string& pattern) {
    glob_t found{};
    std::vector<std::string> files;
    if (::glob(pattern.c_str(), 0, nullptr, &found) == 0)
        for (std::size_t i = 0; i < found.gl_pathc; ++i)
            files.emplace_back(found.gl_pathv[i]);
    ::globfree(&found);
    return files;
}

// As plugstack.c:_spank_stack_process_line reads it; relative patterns are taken from the file's directory
// here.
std::optional<PluginLine> find_plugin_line(const std::string& plugstack, int depth) {
    const std::string text = text_of(plugstack);
    if (auto line = plugin_line_in(text)) {
        line->file = plugstack;
        return line;
    }
    if (depth == 0) return std::nullopt;
    for (const std::string& pattern : includes_in(text))
        for (const std::string& file :
             files_of(pattern.starts_with('/') ? pattern : directory_of(plugstack) + pattern))
            if (auto line = find_plugin_line(file, depth - 1)) return line;
    return std::nullopt;
}

bool is_plugin_there(const std::string& path, const std::string& dirs) {
    if (path.starts_with('/')) return exists(path);
    std::istringstream all(dirs);
    for (std::string dir; std::getline(all, dir, ':');)
        if (exists(dir + "/" + path)) return true;
    return false;
}

SlurmFacts look_at_slurm() {
    SlurmFacts slurm;
    const auto scontrol = find_program("scontrol");
    slurm.has_scontrol = scontrol.has_value();
    if (scontrol) slurm.config = config_in(output_of({*scontrol, "show", "config"}));
    const auto value = [&](const char* name) {
        const auto found = slurm.config.find(name);
        return found != slurm.config.end() && found->second != "(null)" ? found->second : std::string();
    };
    const std::string conf = value("SLURM_CONF").empty() ? "/etc/slurm/slurm.conf" : value("SLURM_CONF");
    slurm.plugstack =
        value("PlugStackConfig").empty() ? directory_of(conf) + "plugstack.conf" : value("PlugStackConfig");
    slurm.plugin = find_plugin_line(slurm.plugstack, 3);
    if (slurm.plugin) slurm.is_plugin_there = is_plugin_there(slurm.plugin->path, value("PluginDir"));
    slurm.signals_children = signals_children_in(text_of(directory_of(conf) + "cgroup.conf"));
    if (const auto sbatch = find_program("sbatch"))
        slurm.sbatch_knows = output_of({*sbatch, "--help"}).find("--checkpoint") != std::string::npos;
    return slurm;
}

// "Version: 4.2.1"
std::string criu_version(const std::string& criu) {
    std::istringstream words(output_of({criu, "--version"}));
    for (std::string word; words >> word;)
        if (word == "Version:" && words >> word) return word;
    return {};
}

std::optional<std::string> criu_check(const std::string& criu) {
    if (::geteuid() != 0) return std::nullopt;
    const auto done = run_program({criu, "check"}, -1, true);
    if (!done) return done.error().what;
    return done->succeeded ? "" : "it refuses this kernel";
}

std::optional<Error> ask_daemon() {
    const wire::ListRequest request{1, false, false, ::getuid(), {}, {}};
    const auto found = fetch(wire::encode(request));
    if (found || (found.error().code != Code::daemon_unreachable && found.error().code != Code::store_key))
        return std::nullopt;
    return found.error();
}

std::optional<Error> look_at_key() {
    if (::geteuid() != 0) return Error{Code::not_permitted, "only root can look at it", "", 0};
    const auto keys = store::load_keys(k_key, 0);
    return keys ? std::nullopt : std::optional(keys.error());
}

std::string missing_program() {
    for (const char* name : {"ckpt-shim", "ckpt-init", "ckpt-engine", "ckpt-sealer", "ckpt-writer",
                             "ckpt-slurmctld", "ckpt-handshake"}) {
        const std::string path = std::string(CKPT_LIBEXEC_DIR) + "/" + name;
        if (::access(path.c_str(), X_OK) != 0) return path;
    }
    return {};
}

bool is_compute_node() {
    if (exists(wire::k_socket_path)) return true;
    const auto scontrol = find_program("scontrol");
    utsname host{};
    ::uname(&host);
    const std::string full = host.nodename;
    return scontrol && !output_of({*scontrol, "show", "node", full.substr(0, full.find('.'))}).empty();
}

HostFacts look_at_host(const Policy& policy) {
    HostFacts host;
    host.is_root = ::geteuid() == 0;
    host.is_compute = is_compute_node();
    if (!host.is_compute) return host;
    utsname system{};
    ::uname(&system);
    host.kernel = system.release;
    host.criu_version = criu_version(policy.engine.criu);
    if (!host.criu_version.empty()) host.criu_check = criu_check(policy.engine.criu);
    host.daemon = ask_daemon();
    host.key = look_at_key();
    host.has_account = ::getpwnam(k_account) != nullptr; // NOLINT(concurrency-mt-unsafe): one thread
    host.has_munge = exists(k_munge_socket);
    host.missing_program = missing_program();
    host.store = look_at_store(policy);
    struct statvfs st{};
    host.has_local = ::statvfs(policy.storage.local.c_str(), &st) == 0;
    host.local_free = host.has_local ? std::uint64_t{st.f_bfree} * st.f_frsize : 0;
    host.has_leases = policy.admission.commits == 0 || exists(policy.admission.leases);
    return host;
}

// What is in force, or else why not.
Result<Policy> judge_policy(const std::string& policy_file, bool must_be_there, std::vector<Finding>& findings) {
    auto policy = load_policy(policy_file);
    if (policy && must_be_there && !exists(policy_file))
        findings.push_back({Finding::Health::bad, "policy", policy_file + " is not there",
                            "it is named in plugstack.conf, or to sckpt: make it, or name another one"});
    else if (policy)
        findings.push_back(
            {Finding::Health::good, "policy",
             policy_file + (exists(policy_file) ? " is good" : " is not there: built-in values hold"), ""});
    else
        findings.push_back(
            {Finding::Health::bad, "policy", policy.error().what,
             policy.error().hint.empty() ? "mend it; sckpt policy check tells more" : policy.error().hint});
    return policy;
}

// What plugstack.conf says; "" = nothing.
std::string policy_of(const SlurmFacts& slurm) {
    constexpr std::string_view k_argument = "policy=";
    if (slurm.plugin)
        for (const std::string& argument : slurm.plugin->arguments)
            if (argument.starts_with(k_argument)) return argument.substr(k_argument.size());
    return {};
}

} // namespace

Result<bool> doctor(const std::string& policy_file, bool json) {
    const SlurmFacts slurm = look_at_slurm();
    const std::string named = policy_file.empty() ? policy_of(slurm) : policy_file;
    std::vector<Finding> findings;
    const Policy in_force =
        judge_policy(named.empty() ? k_policy : named, !named.empty(), findings).value_or(Policy{});
    for (const auto& found : {judge_slurm(slurm, in_force), judge_host(look_at_host(in_force), in_force)})
        findings.insert(findings.end(), found.begin(), found.end());
    std::cout << (json ? findings_json(findings) : findings_text(findings));
    return std::ranges::none_of(findings,
                                [](const Finding& one) { return one.health == Finding::Health::bad; });
}

} // namespace ckpt::cli
