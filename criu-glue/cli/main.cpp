// SPDX-License-Identifier: GPL-2.0-or-later
// sckpt: the command line for users and admins. It holds no privilege; ckptd decides by who the caller is.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "doctor.hpp"
#include "drain_command.hpp"
#include "job_commands.hpp"
#include "key_commands.hpp"
#include "policy/policy_yaml.hpp"
#include "policy/text.hpp"
#include "store_commands.hpp"

namespace {

constexpr const char* k_policy = "/etc/slurm/checkpoint.yaml";

std::string counted(std::size_t count, const std::string& what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

ckpt::Status check_policy(const std::string& path) {
    // A draft belongs to whoever writes it; in force is only what belongs to root.
    struct stat st{};
    const bool is_there = ::stat(path.c_str(), &st) == 0;
    if (!is_there && (errno != ENOENT || path != k_policy))
        return ckpt::fail_errno(ckpt::Code::policy_unreadable, "cannot use the policy " + path);
    const bool is_own = is_there && st.st_uid == ::getuid();
    CKPT_TRY(const ckpt::Policy policy, ckpt::load_policy(path, is_own ? ::getuid() : 0));
    if (!is_there && policy.stated.empty()) {
        std::cout << path << " is not there: built-in values hold\n";
        return {};
    }
    std::cout << path << ": good; " << counted(policy.stated.size(), "key") << " stated, "
              << counted(policy.scopes.size(), "scope") << "\n";
    if (is_there && (st.st_mode & S_IROTH) == 0)
        std::cout << path << ": warning: users cannot read it, and sbatch --checkpoint fails for them; chmod "
                  << "o+r it\n";
    return {};
}

// What somebody has given us as a word may be as long as the kernel allows.
std::string shortened(const std::string& text) {
    constexpr std::size_t k_longest = 1000;
    if (text.size() <= k_longest) return text;
    return text.substr(0, k_longest / 2) + " ... " + text.substr(text.size() - k_longest / 2);
}

// What did not reach a full disk, say, is no success.
ckpt::Status all_is_written() {
    std::cout.flush();
    if (std::cout) return {};
    return ckpt::fail(ckpt::Code::os, "not all of standard output could be written", "is the disk full?");
}

int finish(const ckpt::Status& done) {
    const ckpt::Status written = all_is_written();
    const ckpt::Status& status = done ? written : done;
    if (status) return 0;
    std::cerr << "sckpt: error: " << shortened(ckpt::one_line(status.error())) << "\n";
    return 1;
}

int well(const ckpt::Result<bool>& found) {
    const int status = finish(found ? ckpt::Status() : tl::unexpected(found.error()));
    return status == 0 && !*found ? 1 : status;
}

// CLI11's own words name neither the verb nor what is near.
ckpt::Status check_verb(const CLI::App& app, const char* word) {
    if (word == nullptr)
        return ckpt::fail(ckpt::Code::option_value, "a verb is missing", "see `sckpt --help`");
    if (*word == '-') return {};
    std::vector<std::string> names;
    for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(verb->get_name());
    if (std::ranges::find(names, word) != names.end()) return {};
    const std::vector<std::string_view> views(names.begin(), names.end());
    const std::string near = ckpt::did_you_mean(word, views);
    return ckpt::fail(ckpt::Code::option_value, ckpt::quote(word) + " is not a verb of sckpt",
                      near.empty() ? "see `sckpt --help`" : near);
}

int run(int argc, char** argv) {
    CLI::App app{
        "Checkpoints of Slurm jobs: see what is saved, save one now. README.md and docs/ tell more."};
    app.require_subcommand(1);
    app.set_version_flag("--version", CKPT_VERSION);

    ckpt::cli::StoreCommands store(app);
    ckpt::cli::JobCommands jobs(app);
    ckpt::cli::DrainCommand drain(app);
    const ckpt::cli::KeyCommands keys(app);

    std::string policy_path = k_policy;
    bool as_json = false;
    auto* look =
        app.add_subcommand("doctor", "say what is wrong here for checkpoints, and what to do about it");
    std::string judged_policy;
    look->add_option("--policy", judged_policy,
                     "default: what plugstack.conf says, or /etc/slurm/checkpoint.yaml");
    look->add_flag("--json", as_json, "one JSON object per line");
    auto* policy = app.add_subcommand("policy", "the cluster's policy");
    policy->require_subcommand(1);
    auto* policy_check = policy->add_subcommand("check", "say what is wrong with a policy file");
    policy_check->add_option("FILE", policy_path, "default /etc/slurm/checkpoint.yaml");

    if (const auto status = check_verb(app, argc > 1 ? argv[1] : nullptr); !status) return finish(status);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ValidationError& e) { // says what to do itself, behind the option's name
        const std::string text = e.what();
        return finish(ckpt::fail(ckpt::Code::option_value, text.substr(text.find(": ") + 2)));
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() == 0) { // --help, --version
            app.exit(e);
            return finish({});
        }
        return finish(ckpt::fail(ckpt::Code::option_value, e.what(), "see `sckpt --help`"));
    }
    if (store.parsed()) return finish(store.run());
    if (look->parsed()) return well(ckpt::cli::doctor(judged_policy, as_json));
    if (jobs.parsed() || drain.parsed()) {
        const auto status = drain.parsed() ? drain.run() : jobs.run();
        const int written = finish(status ? ckpt::Status() : tl::unexpected(status.error()));
        return written == 0 ? *status : written;
    }
    if (policy_check->parsed()) return finish(check_policy(policy_path));
    return finish(keys.run());
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& e) { // CLI11 and the standard library; ours return results
        std::cerr << "sckpt: error: " << e.what() << " [CKPT-901]\n";
        return 1;
    }
}
