// SPDX-License-Identifier: GPL-2.0-or-later
#include "options/command_line.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "policy/request.hpp"

namespace ckpt {
namespace {

// sbatch's options that never take their argument from the next word (slurm src/common/slurm_opt.c, has_arg
// other than required_argument, 22.05 to 26.05). All others do; an option we never heard of is taken to do so
// too.
constexpr std::array<std::string_view, 31> k_without_argument{
    "consolidate-segments",
    "contiguous",
    "exclusive",
    "external",
    "get-user-env",
    "help",
    "hold",
    "ignore-pbs",
    "nice",
    "no-kill",
    "no-requeue",
    "oom-kill-step",
    "overcommit",
    "oversubscribe",
    "parsable",
    "propagate",
    "quiet",
    "reboot",
    "requeue",
    "resv-ports",
    "share",
    "spread-job",
    "spread-segments",
    "stepmgr",
    "test-only",
    "usage",
    "use-min-nodes",
    "verbose",
    "version",
    "wait",
    "x11",
};
constexpr std::string_view k_short_without_argument = "hHOQsVvW";
constexpr char k_short_optional_argument = 'k'; // -k, -koff

// getopt_long takes any unambiguous beginning of a name; that is ours only once it has said "checkpoint".
const OptionRow* our_option(std::string_view name) {
    if (const OptionRow* row = find_option(name)) return row;
    if (!name.starts_with("checkpoint-")) return nullptr;
    for (const OptionRow& row : option_table())
        if (std::string_view(row.name).starts_with(name)) return &row;
    return nullptr;
}

bool long_takes_next_word(std::string_view name) {
    return std::ranges::none_of(k_without_argument,
                                [name](std::string_view known) { return known.starts_with(name); });
}

// "-vn" takes the next word, "-vn4" has its argument in the same word.
bool short_takes_next_word(std::string_view letters) {
    for (std::size_t i = 0; i < letters.size(); ++i) {
        if (letters[i] == k_short_optional_argument) return false;
        if (k_short_without_argument.find(letters[i]) == std::string_view::npos)
            return i + 1 == letters.size();
    }
    return false;
}

bool switches_off(std::string_view value) {
    Request request;
    return request.set(option_row(Option::checkpoint).name, value) && request.enabled == false;
}

} // namespace

bool looks_like_checkpoint_cli(std::span<const std::string> argv) {
    bool asked = false;
    bool off = false;
    for (std::size_t i = 1; i < argv.size(); ++i) {
        const std::string_view word = argv[i];
        if (word == ":") continue; // between the components of a heterogeneous job
        if (word.size() < 2 || word.front() != '-' || word == "--") break;
        bool takes_next = false;
        if (word.starts_with("--")) {
            const std::size_t equals = word.find('=');
            const std::string_view name =
                word.substr(2, equals == std::string_view::npos ? equals : equals - 2);
            const bool bare = equals == std::string_view::npos;
            const OptionRow* row = our_option(name);
            asked = asked || row != nullptr;
            if (row != nullptr && row->option == Option::checkpoint)
                off = !bare && switches_off(word.substr(equals + 1));
            takes_next = bare && (row != nullptr ? !row->argument_optional : long_takes_next_word(name));
        } else {
            takes_next = short_takes_next_word(word.substr(1));
        }
        // What an unknown option without argument would swallow here is ours rather than its argument.
        if (takes_next && i + 1 < argv.size() && !argv[i + 1].starts_with("--checkpoint")) ++i;
    }
    return asked && !off;
}

} // namespace ckpt
