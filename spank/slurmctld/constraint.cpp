// SPDX-License-Identifier: GPL-2.0-or-later
#include "constraint.hpp"

#include <algorithm>

namespace ckpt {

namespace {

std::vector<std::string> split(std::string_view text, std::string_view separators) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of(separators), text.size());
        if (end > 0) parts.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

bool contains(const std::vector<std::string>& list, const std::string& word) {
    return std::ranges::find(list, word) != list.end();
}

std::string joined(const std::vector<std::string>& terms) {
    std::string text;
    for (const std::string& term : terms)
        text += (text.empty() ? "" : "&") + term;
    return text;
}

} // namespace

Constraint constrained(std::string_view expression, const std::set<std::string>& of_node,
                       const std::vector<std::string>& listed) {
    std::vector<std::string> terms = split(expression, "&,"); // both mean "and"
    const auto wanted = [&](const std::string& feature) { return of_node.contains(feature); };
    const bool is_kept = std::ranges::all_of(
        terms, [&](const std::string& term) { return !contains(listed, term) || wanted(term); });
    const bool has_all = std::ranges::all_of(
        listed, [&](const std::string& feature) { return !wanted(feature) || contains(terms, feature); });
    if (is_kept && has_all) return {};
    if (expression.find_first_of("|[]()*!:\"") != std::string_view::npos)
        return {Constraint::Kind::too_complicated, {}};
    std::erase_if(terms, [&](const std::string& term) { return contains(listed, term) && !wanted(term); });
    for (const std::string& feature : listed)
        if (wanted(feature) && !contains(terms, feature)) terms.push_back(feature);
    return {Constraint::Kind::changed, joined(terms)};
}

std::vector<std::string> split_at_commas(std::string_view text) {
    return split(text, ",");
}

} // namespace ckpt
