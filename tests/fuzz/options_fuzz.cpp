// SPDX-License-Identifier: GPL-2.0-or-later
// What users give sbatch and srun: values of options, variables, and command lines of srun.
#include <vector>

#include "fuzz.hpp"
#include "options/options.hpp"
#include "policy/request.hpp"
#include "srun/launcher_daemon.hpp"
#include "srun/srun_options.hpp"

using namespace ckpt;

namespace {

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const std::string_view rest = fuzz::behind_separator(text);
        words.emplace_back(text);
        text = rest;
    }
    return words;
}

} // namespace

FUZZ_TARGET(std::string_view input) {
    const std::vector<std::string> words = words_of(input);
    std::vector<std::pair<std::string, std::string>> given;
    for (std::size_t i = 0; i < words.size(); ++i)
        given.emplace_back(option_table()[i % option_table().size()].name, words[i]);
    const auto request = apply_options(given);
    if (!request)
        fuzz::require_one_line(one_line(request.error()));
    else if (const auto plan = submit_advice(*request, {}, {}); !plan)
        fuzz::require_one_line(one_line(plan.error()));
    const auto variable = [&](const char*) { return words.empty() ? nullptr : words.front().c_str(); };
    if (const auto from = request_from_environment("SBATCH_", variable); !from)
        fuzz::require_one_line(one_line(from.error()));
    const SrunOptions options = read_srun_options(words);
    fuzz::require(options.command_at <= words.size());
    fuzz::require(launcher_daemon_at(words) <= words.size());
}
