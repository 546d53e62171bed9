// SPDX-License-Identifier: GPL-2.0-or-later
#include "environment.hpp"

#include "wire/app_messages.hpp"

namespace ckpt {

namespace {

constexpr const char* k_transport = "_SLURM_SPANK_OPTION_checkpoint_";
constexpr const char* k_in_job = "SLURM_SPANK_";

} // namespace

std::string transport_name(const OptionRow& row) {
    std::string name = k_transport;
    for (const char* c = row.name; *c != '\0'; ++c)
        name += *c == '-' ? '_' : *c;
    return name;
}

std::string uuid_in_job() {
    return std::string(k_in_job) + k_uuid;
}

std::vector<std::string> inherited_variables() {
    std::vector<std::string> names{"SLURM_RESTART_COUNT", uuid_in_job(), std::string(k_in_job) + k_open_mode,
                                   std::string(k_in_job) + k_allocation};
    for (const OptionRow& row : option_table()) {
        names.push_back(transport_name(row));
        names.push_back(k_in_job + transport_name(row));
    }
    return names;
}

namespace {

// In the script of a job whose program saves itself SLURM_CHECKPOINT_DIR is where (wire/app_messages.hpp),
// and not what srun would take for its --checkpoint-dir.
Environment without_own_directory(const Environment& environment) {
    return [environment](const char* name) {
        const bool is_own = std::string_view(name) == wire::k_app_dir_variable &&
                            environment(wire::k_app_marker_variable) != nullptr;
        return is_own ? nullptr : environment(name);
    };
}

} // namespace

Result<std::vector<std::pair<std::string, std::string>>> forms_as_transport(std::string_view prefix,
                                                                            const Environment& given) {
    const Environment environment = without_own_directory(given);
    if (const auto valid = request_from_environment(prefix, environment); !valid)
        return tl::unexpected(valid.error());
    std::vector<std::pair<std::string, std::string>> variables;
    for (const OptionRow& row : option_table())
        if (const char* value = environment((std::string(prefix) + row.environment).c_str()))
            variables.emplace_back(k_in_job + transport_name(row), value);
    return variables;
}

GivenOptions options_in_job_environment(const Environment& environment) {
    GivenOptions options;
    for (const OptionRow& row : option_table())
        if (const char* value = environment((k_in_job + transport_name(row)).c_str()))
            options.set(row, value);
    return options;
}

bool made_append(const Environment& task_environment) {
    const char* mode = task_environment((std::string(k_in_job) + k_open_mode).c_str());
    return mode != nullptr && std::string_view(mode) == k_made_append;
}

bool must_truncate(const Environment& task_environment) {
    return made_append(task_environment) && task_environment("SLURM_RESTART_COUNT") == nullptr;
}

} // namespace ckpt
