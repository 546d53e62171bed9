// SPDX-License-Identifier: GPL-2.0-or-later
// What a user asked for: one field per option, empty where nothing was said. Untrusted until resolve() has
// seen it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "policy/values.hpp"
#include "result/result.hpp"

namespace ckpt {

// The options by their name behind "--checkpoint" ("" is --checkpoint itself). Spellings are stored in queued
// jobs and never change.
enum class Option : std::uint8_t {
    checkpoint,
    interval,
    dir,
    on,
    signal,
    method,
    keep,
    restore,
    max_restarts,
    files
};

// One row per option: everything that registration, parsing, help, the environment form and the tests need.
struct OptionRow {
    Option option;
    const char* name;     // "checkpoint-interval"
    const char* argument; // "TIME|auto|none"; shown by --help
    bool argument_optional;
    const char*
        accepts;       // what is accepted, in words, for error messages: "a time such as 30, 1:30:00, 90s …"
    const char* usage; // one help line
    const char* environment; // suffix of the environment form: SBATCH_ / SLURM_ + "CHECKPOINT_INTERVAL"
};
std::span<const OptionRow> option_table();
const OptionRow* find_option(std::string_view name); // by full name, nullptr if there is none
const OptionRow& option_row(Option option);

struct Request {
    std::optional<bool> enabled;
    std::optional<Interval> interval;
    std::optional<std::string> dir;
    std::optional<Triggers> on;
    std::optional<int> signal;
    std::optional<Method> method;
    std::optional<std::uint32_t> keep;
    std::optional<Restore> restore;
    std::optional<std::uint32_t> max_restarts;
    std::optional<FilesMode> files;
    // --checkpoint-interval was said: it wins over the time of --checkpoint=TIME whichever comes first, since
    // slurmstepd replays options in the order of their registration, not of the command line.
    bool interval_named = false;

    // Something beyond on or off was said; that implies "on".
    [[nodiscard]] bool has_details() const;

    // Sets the field of one option from its text, by the option's full name. Error code option_value: the
    // message names the option, quotes at most 64 printable characters of the value and says what is
    // accepted.
    // "--checkpoint=TIME" sets the interval too. Where an argument is optional, "" and "(null)" stand for
    // none: the batch slurmstepd gets the former, an inner srun and job_prolog the latter (slurm
    // src/common/spank.c:_option_setenv, src/common/xstring.c:_xstrcat).
    Status set(std::string_view name, std::string_view value);
};

} // namespace ckpt
