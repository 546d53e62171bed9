// SPDX-License-Identifier: GPL-2.0-or-later
#include "job_environment.hpp"

#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "policy/values.hpp"
#include "wire/allocation.hpp"
#include "wire/shim_state.hpp"

namespace ckpt {

namespace {

// As sbatch leaves them in the job's environment (spank/plugin/environment.hpp).
constexpr const char* k_open_mode = "SLURM_SPANK_CKPT_OPEN_MODE";
constexpr const char* k_made_append = "made-append";
constexpr const char* k_option = "SLURM_SPANK__SLURM_SPANK_OPTION_checkpoint_checkpoint_";

const char* option(const char* name) {
    return std::getenv((std::string(k_option) + name).c_str());
}

bool has_earlier_run() {
    const char* count = std::getenv("SLURM_RESTART_COUNT");
    return count != nullptr && std::strtol(count, nullptr, 10) > 0;
}

// --checkpoint-restore names another job, which this one goes on from.
bool comes_from_another(const char* restore) {
    return restore != nullptr && wire::names_a_job(restore);
}

} // namespace

bool is_restarted() {
    const char* restore = option("restore");
    const bool never =
        restore != nullptr && ::strcasecmp(restore, "never") == 0; // the user wants to start over
    return (has_earlier_run() && !never) || comes_from_another(restore);
}

int checkpoint_signal() {
    const char* text = option("signal");
    const auto signal = text != nullptr ? parse_signal(text) : Result<int>(0);
    return signal.value_or(0);
}

void empty_output_of_earlier_run() {
    const char* mode = std::getenv(k_open_mode);
    if (!has_earlier_run() || mode == nullptr || std::strcmp(mode, k_made_append) != 0) return;
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
        struct stat status{};
        if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) (void)!::ftruncate(fd, 0);
    }
}

std::optional<StepOfScript> take_step_of_script() {
    std::optional<StepOfScript> step;
    if (std::getenv(wire::k_stand_in_variable) != nullptr)
        step = StepOfScript{std::getenv(wire::k_unbuffered_variable) == nullptr};
    ::unsetenv(wire::k_stand_in_variable);
    ::unsetenv(wire::k_unbuffered_variable);
    return step;
}

bool take_dated_messages() {
    const bool dated = std::getenv(wire::k_dated_messages_variable) != nullptr;
    ::unsetenv(wire::k_dated_messages_variable);
    return dated;
}

bool stands_for_script() {
    return std::getenv(wire::k_script_variable) != nullptr;
}

bool is_restored_or_nothing() {
    const char* how = std::getenv(wire::k_script_variable);
    return how != nullptr && std::strcmp(how, wire::k_restore) == 0;
}

std::vector<std::string> slurm_variables() {
    std::vector<std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        if (text.starts_with("SLURM_") || text.starts_with("SLURMD_")) all.emplace_back(text);
    }
    return all;
}

void set_app_variables(const std::optional<wire::AppPlace>& place) {
    for (const char* name : {wire::k_app_dir_variable, wire::k_app_marker_variable,
                             wire::k_app_generation_variable, wire::k_app_restarted_variable})
        ::unsetenv(name);
    if (!place) return;
    ::setenv(wire::k_app_generation_variable, std::to_string(place->generation).c_str(), 1);
    if (place->restarted) ::setenv(wire::k_app_restarted_variable, "1", 1);
    if (place->dir.empty()) return;
    ::setenv(wire::k_app_dir_variable, place->dir.c_str(), 1);
    ::setenv(wire::k_app_marker_variable, (place->dir + "/" + wire::k_app_marker).c_str(), 1);
}

} // namespace ckpt
