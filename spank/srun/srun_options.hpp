// SPDX-License-Identifier: GPL-2.0-or-later
// What of srun's own command line matters to us. Read as srun reads it: options end where the command begins
// (getopt_long(3) with "+", slurm src/common/slurm_opt.c:slurm_option_table_create).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

struct SrunOptions {
    bool pty = false;
    bool unbuffered = false;
    std::string input; // of the last --input; "" = none
    // Where in the arguments that is: `input_words` of them, from `input_at` on. 0 = not there, or between
    // other options in one word.
    std::size_t input_at = 0;
    std::size_t input_words = 0;
    bool open_mode = false;              // --open-mode is there
    bool elsewhere = false;              // no step of this allocation, or not one alone: --jobid, --help, …
    bool restores = false;               // --checkpoint-restore names a job
    std::vector<std::string> checkpoint; // the words of --checkpoint…
    std::size_t command_at = 0;          // behind the last option; may be the end
};

SrunOptions read_srun_options(std::span<const std::string> argv);

// srun's standard input is its own: `input` of --input, or of the variable, does not name something else.
bool reads_standard_input(std::string_view input);
// The file that srun itself opens and reads; "" = none, or its name depends on the step.
std::string_view input_file(std::string_view input);

} // namespace ckpt
