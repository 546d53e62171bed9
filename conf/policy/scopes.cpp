// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/scopes.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "policy/policy_rows.hpp"

namespace ckpt {

namespace {

// The most specific kind first.
struct Condition {
    const char* name;
    std::vector<std::string> ScopeMatch::* patterns;
    std::string ScopeFacts::* value;
    std::string_view separators; // between the values that a job may have
};
constexpr std::array k_conditions{
    Condition{"user", &ScopeMatch::users, &ScopeFacts::user, ""},
    Condition{"account", &ScopeMatch::accounts, &ScopeFacts::account, ""},
    Condition{"qos", &ScopeMatch::qos, &ScopeFacts::qos, ""},
    Condition{"partition", &ScopeMatch::partitions, &ScopeFacts::partition, ","},
    Condition{"constraint", &ScopeMatch::constraints, &ScopeFacts::constraint, "&|,()[]!"},
};

std::vector<std::string> split(const std::string& text, std::string_view separators) {
    if (separators.empty()) return text.empty() ? std::vector<std::string>{} : std::vector{text};
    std::vector<std::string> words;
    for (std::size_t at = 0; (at = text.find_first_not_of(separators, at)) != std::string::npos;) {
        const std::size_t end = std::min(text.find_first_of(separators, at), text.size());
        const std::string word = text.substr(at, end - at);
        words.push_back(word.substr(0, word.find('*'))); // "rack1*2" of a constraint: so many nodes
        at = end;
    }
    return words;
}

// Slurm's names of accounts, QOS and partitions are compared as they are, its users' too.
bool is_any_of(const std::string& word, const std::vector<std::string>& patterns) {
    return std::ranges::any_of(patterns, [&](const std::string& pattern) {
        return ::fnmatch(pattern.c_str(), word.c_str(), FNM_NOESCAPE) == 0;
    });
}

// Specificity: how many kinds of conditions, then the most specific one of them.
std::pair<std::size_t, std::size_t> rank(const ScopeMatch& match) {
    std::size_t count = 0;
    std::size_t best = 0;
    for (std::size_t i = 0; i < k_conditions.size(); ++i) {
        if ((match.*k_conditions.at(i).patterns).empty()) continue;
        ++count;
        best = std::max(best, k_conditions.size() - i);
    }
    return {count, best};
}

void apply(const PolicyScope& scope, Policy& policy) {
    for (const StatedKey& stated : scope.values.stated) {
        const auto row = std::ranges::find_if(policy_rows(), [&](const PolicyRow& each) {
            return stated.key == std::string(each.section) + "." + std::string(each.key);
        });
        if (row == policy_rows().end()) continue;
        row->copy(scope.values, policy);
        std::erase_if(policy.stated, [&](const StatedKey& known) { return known.key == stated.key; });
        policy.stated.push_back({stated.key, stated.where + " (" + to_string(scope.match) + ")"});
    }
}

} // namespace

bool fits(const ScopeMatch& match, const ScopeFacts& job) {
    return std::ranges::all_of(k_conditions, [&](const Condition& condition) {
        const auto& patterns = match.*condition.patterns;
        if (patterns.empty()) return true;
        return std::ranges::any_of(split(job.*condition.value, condition.separators),
                                   [&](const std::string& word) { return is_any_of(word, patterns); });
    });
}

Policy policy_for(const Policy& policy, const ScopeFacts& job) {
    std::vector<const PolicyScope*> chosen;
    for (const PolicyScope& scope : policy.scopes)
        if (fits(scope.match, job)) chosen.push_back(&scope);
    std::ranges::stable_sort(chosen, {}, [](const PolicyScope* scope) { return rank(scope->match); });
    Policy result = policy;
    result.scopes.clear();
    for (const PolicyScope* scope : chosen)
        apply(*scope, result);
    return result;
}

bool needs_qos(const Policy& policy) {
    return std::ranges::any_of(policy.scopes,
                               [](const PolicyScope& scope) { return !scope.match.qos.empty(); });
}

std::string to_string(const ScopeMatch& match) {
    std::string text;
    for (const Condition& condition : k_conditions) {
        const auto& patterns = match.*condition.patterns;
        if (patterns.empty()) continue;
        text += (text.empty() ? "" : ", ") + std::string(condition.name) + " ";
        for (std::size_t i = 0; i < patterns.size(); ++i)
            text += (i == 0 ? "" : "|") + patterns[i];
    }
    return text;
}

} // namespace ckpt
