// SPDX-License-Identifier: GPL-2.0-or-later
#include "option_callback.hpp"

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "result/result.hpp"

namespace ckpt {

namespace {

constexpr int k_required_argument = 1; // as for getopt_long, to which Slurm hands it on
constexpr int k_optional_argument = 2;

// The status with which Slurm's commands end on an error (sbatch.c:_set_exit_code and its like).
int exit_status() {
    const char* chosen = std::getenv("SLURM_EXIT_ERROR");
    const int status = chosen != nullptr ? static_cast<int>(std::strtol(chosen, nullptr, 10)) : 0;
    return status != 0 ? status : 1;
}

// scrontab knows our options and forgets them: it runs no init_post_opt and hands no options on (slurm
// src/scrontab/scrontab.c).
void warn_if_forgotten(std::string_view program) {
    static bool k_said = false;
    if (!program.starts_with("scrontab") || !request_of(given_options()).asked_for || k_said) return;
    k_said = true;
    const Error error{Code::option_conflict, "jobs of scrontab run without checkpoints",
                      "let the entry submit one with sbatch", 0};
    slurm_info("checkpoint: %s", one_line(error).c_str());
}

int on_option(int val, const char* argument, int remote) {
    const OptionRow& row = option_row(static_cast<Option>(val));
    const std::string_view value = argument != nullptr ? argument : "";
    if (remote == 0) {
        Request probe;
        if (const auto status = probe.set(row.name, value); !status) {
            refuse(one_line(status.error()));
            return -1;
        }
    }
    given_options().set(row, value);
    if (remote == 0) warn_if_forgotten(program_invocation_short_name);
    return 0;
}

extern "C" int ckpt_option_callback(int val, const char* argument, int remote) noexcept {
    try {
        return on_option(val, argument, remote);
    } catch (const std::exception& e) {
        slurm_info("checkpoint: an option was not understood: %s", e.what());
        return remote != 0 ? 0 : -1;
    }
}

} // namespace

GivenOptions& given_options() {
    static GivenOptions options;
    return options;
}

void register_options(spank_t spank) {
    for (const OptionRow& row : option_table()) {
        const std::string argument =
            row.argument_optional ? "[" + std::string(row.argument) + "]" : row.argument;
        spank_option option{};
        option.name = const_cast<char*>(row.name); // Slurm copies all three (spank.c:_spank_option_copy)
        option.arginfo = const_cast<char*>(argument.c_str());
        option.usage = const_cast<char*>(row.usage);
        option.has_arg = row.argument_optional ? k_optional_argument : k_required_argument;
        option.val = static_cast<int>(row.option);
        option.cb = ckpt_option_callback;
        spank_option_register(spank, &option);
    }
}

// A callback that fails makes Slurm print the whole value once more (spank.c:spank_process_option), however
// long it is and whatever it holds. Nothing has been submitted or allocated yet, so the command may just as
// well end here.
void refuse(const std::string& line) {
    slurm_error("%s", line.c_str());
    const std::string_view program = program_invocation_short_name;
    for (const char* ours : {"sbatch", "srun", "salloc"})
        if (program.starts_with(ours)) std::exit(exit_status());
}

} // namespace ckpt
