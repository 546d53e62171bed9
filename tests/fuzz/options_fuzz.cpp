// SPDX-License-Identifier: GPL-2.0-or-later
// What users give sbatch and srun: values of options, variables, and command lines of both.
#include <vector>

#include "fuzz.hpp"
#include "options/command_line.hpp"
#include "options/options.hpp"
#include "options/slurm_settings.hpp"
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

void require_advice(const Result<Request>& request) {
    if (!request) return fuzz::require_one_line(one_line(request.error()));
    if (const auto status = check_consistent(*request); !status)
        fuzz::require_one_line(one_line(status.error()));
    if (const auto plan = submit_advice(*request, {}, {}); !plan)
        fuzz::require_one_line(one_line(plan.error()));
}

// What is understood is said and understood again to the same.
template <typename Parse>
void round_trip(const std::string& word, Parse parse) {
    const auto value = parse(word);
    if (!value) return fuzz::require_one_line(one_line(value.error()));
    const auto again = parse(to_string(*value));
    fuzz::require(again.has_value() && *again == *value);
}

void one_word(const std::string& word) {
    for (const OptionRow& row : option_table())
        require_advice(apply_options({{row.name, word}}));
    round_trip(word, parse_interval);
    round_trip(word, parse_triggers);
    round_trip(word, parse_method);
    round_trip(word, parse_restore);
    round_trip(word, parse_files);
}

} // namespace

FUZZ_TARGET(std::string_view input) {
    const std::vector<std::string> words = words_of(input);
    if (words.empty()) return;
    one_word(words.front());
    std::vector<std::pair<std::string, std::string>> given;
    for (std::size_t i = 0; i < words.size(); ++i)
        given.emplace_back(option_table()[i % option_table().size()].name, words[i]);
    const auto above = apply_options(given);
    require_advice(above);
    const auto below =
        request_from_environment("SBATCH_", [&](const char*) { return words.front().c_str(); });
    require_advice(below);
    if (above && below) require_advice(overlay(*below, *above));
    (void)looks_like_checkpoint_cli(words);
    (void)signals_children(input);
    const SrunOptions options = read_srun_options(words);
    fuzz::require(options.command_at <= words.size());
    fuzz::require(options.input_at + options.input_words <= words.size());
    (void)input_file(options.input);
    fuzz::require(launcher_daemon_at(words) <= words.size());
}
