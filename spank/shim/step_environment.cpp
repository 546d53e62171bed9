// SPDX-License-Identifier: GPL-2.0-or-later
#include "step_environment.hpp"

#include <algorithm>
#include <map>

namespace ckpt {

namespace {

using Map = std::map<std::string, std::string, std::less<>>;

std::string_view name_of(std::string_view variable) {
    return variable.substr(0, variable.find('='));
}

bool is_of_slurm(std::string_view variable) {
    return variable.starts_with("SLURM_") || variable.starts_with("SLURMD_");
}

Map by_name(const Variables& variables) {
    Map map;
    for (const std::string& variable : variables)
        if (is_of_slurm(variable)) map.emplace(name_of(variable), variable);
    return map;
}

} // namespace

std::string value_of(const Variables& variables, std::string_view name) {
    const auto found = std::ranges::find_if(
        variables, [&](const std::string& variable) { return name_of(variable) == name; });
    return found == variables.end() || found->size() <= name.size() ? std::string()
                                                                    : found->substr(name.size() + 1);
}

void set_variable(Variables& variables, std::string_view name, std::string_view value) {
    std::erase_if(variables, [&](const std::string& variable) { return name_of(variable) == name; });
    variables.push_back(std::string(name) + "=" + std::string(value));
}

Variables for_this_incarnation(const Variables& script, const Variables& first, const Variables& now) {
    const Map had = by_name(first);
    const Map has = by_name(now);
    const Map asked = by_name(script);
    Variables merged;
    for (const std::string& variable : script) {
        const auto before = had.find(name_of(variable));
        if (before == had.end() || before->second != variable) {
            merged.push_back(variable);
            continue;
        }
        const auto after = has.find(name_of(variable));
        if (after != has.end()) merged.push_back(after->second);
    }
    for (const auto& [name, variable] : has)
        if (!had.contains(name) && !asked.contains(name)) merged.push_back(variable);
    return merged;
}

} // namespace ckpt
