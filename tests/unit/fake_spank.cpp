// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake_spank.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <stdexcept>

namespace ckpt::test {

namespace {
FakeSpank g_fake;
std::vector<char*> g_environment;

void remember(const char* format, va_list arguments) {
    char line[4096];
    (void)std::vsnprintf(line, sizeof line, format, arguments);
    g_fake.log.emplace_back(line);
}

} // namespace

char** job_environment() {
    g_environment.clear();
    for (std::string& entry : g_fake.job_environment)
        g_environment.push_back(entry.data());
    g_environment.push_back(nullptr);
    return g_environment.data();
}

FakeSpank& fake_spank() {
    return g_fake;
}

void reset_fake_spank() {
    g_fake = {};
}

int FakeSpank::give(const std::string& name, const char* argument, bool remote) const {
    const auto found = std::ranges::find(registered_names, name);
    if (found == registered_names.end()) throw std::out_of_range(name);
    const spank_option& option = registered[static_cast<std::size_t>(found - registered_names.begin())];
    return option.cb(option.val, argument, remote ? 1 : 0);
}

} // namespace ckpt::test

using ckpt::test::fake_spank;

namespace {
constexpr auto k_success = static_cast<spank_err_t>(ESPANK_SUCCESS); // a macro that C converts
} // namespace

extern "C" {

spank_context_t spank_context() {
    return fake_spank().context;
}

spank_err_t spank_option_register(spank_t /*spank*/, spank_option* option) {
    fake_spank().registered.push_back(*option);
    fake_spank().registered_names.emplace_back(option->name);
    return k_success;
}

spank_err_t spank_option_getopt(spank_t /*spank*/, spank_option* option, char** argument) {
    auto& options = fake_spank().job_script_options;
    const auto found = options.find(option->name);
    if (found == options.end()) return static_cast<spank_err_t>(ESPANK_ERROR);
    *argument = found->second.data();
    return k_success;
}

spank_err_t spank_get_item(spank_t /*spank*/, spank_item_t item, ...) {
    va_list arguments;
    va_start(arguments, item);
    auto& fake = fake_spank();
    spank_err_t result = k_success;
    switch (item) {
    case S_JOB_ID:
        *va_arg(arguments, std::uint32_t*) = fake.job_id;
        break;
    case S_JOB_STEPID:
        *va_arg(arguments, std::uint32_t*) = fake.step_id;
        break;
    case S_JOB_UID:
        *va_arg(arguments, uid_t*) = fake.uid;
        break;
    case S_JOB_GID:
        *va_arg(arguments, gid_t*) = fake.gid;
        break;
    case S_TASK_GLOBAL_ID:
        *va_arg(arguments, std::uint32_t*) = fake.task_id;
        break;
    case S_JOB_TOTAL_TASK_COUNT:
        *va_arg(arguments, std::uint32_t*) = fake.step_tasks;
        break;
    case S_JOB_NNODES:
        *va_arg(arguments, std::uint32_t*) = fake.step_nodes;
        break;
    case S_TASK_PID:
        *va_arg(arguments, pid_t*) = fake.task_pid;
        break;
    case S_JOB_ENV:
        *va_arg(arguments, char***) = ckpt::test::job_environment();
        break;
    case S_JOB_SUPPLEMENTARY_GIDS:
        *va_arg(arguments, gid_t**) = fake.groups.data();
        *va_arg(arguments, int*) = static_cast<int>(fake.groups.size());
        break;
    default:
        result = static_cast<spank_err_t>(ESPANK_BAD_ARG);
    }
    va_end(arguments);
    return result;
}

spank_err_t spank_unsetenv(spank_t /*spank*/, const char* name) {
    fake_spank().unset.emplace_back(name);
    return k_success;
}

spank_err_t spank_setenv(spank_t /*spank*/, const char* name, const char* value, int /*overwrite*/) {
    fake_spank().set[name] = value;
    return k_success;
}

spank_err_t spank_job_control_setenv(spank_t /*spank*/, const char* name, const char* value,
                                     int /*overwrite*/) {
    fake_spank().job_control[name] = value;
    return k_success;
}

spank_err_t spank_prepend_task_argv(spank_t /*spank*/, int argc, const char* argv[]) {
    fake_spank().prepended.assign(argv, argv + argc);
    return k_success;
}

const char* spank_strerror(spank_err_t /*error*/) {
    return "an error";
}

void slurm_info(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    ckpt::test::remember(format, arguments);
    va_end(arguments);
}

void slurm_error(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    ckpt::test::remember(format, arguments);
    va_end(arguments);
    fake_spank().complained = true;
}
}
