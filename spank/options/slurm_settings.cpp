// SPDX-License-Identifier: GPL-2.0-or-later
#include "options/slurm_settings.hpp"

#include <algorithm>
#include <array>
#include <format>

#include "policy/text.hpp"

namespace ckpt {
namespace {

constexpr std::string_view k_blanks = " \t\r\"";
constexpr std::array<std::string_view, 4> k_true{"yes", "up", "true", "1"}; // s_p_get_boolean

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(k_blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(k_blanks) - first + 1);
}

} // namespace

bool signals_children(std::string_view cgroup_conf) {
    bool found = false;
    while (!cgroup_conf.empty()) {
        const std::size_t end = std::min(cgroup_conf.find('\n'), cgroup_conf.size());
        std::string_view line = cgroup_conf.substr(0, end);
        cgroup_conf.remove_prefix(std::min(end + 1, cgroup_conf.size()));
        line = line.substr(0, line.find('#'));
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos) continue;
        if (!equals_ignoring_case(trimmed(line.substr(0, equals)), "SignalChildrenProcesses")) continue;
        const std::string_view value = trimmed(line.substr(equals + 1));
        found = std::ranges::any_of(
            k_true, [value](std::string_view word) { return equals_ignoring_case(word, value); });
    }
    return found;
}

std::optional<Error> unsupported_setting(std::string_view proctrack_type, bool signals_children) {
    constexpr std::string_view k_type = "proctrack/cgroup";
    constexpr const char* k_why = "{} Slurm's SIGTERM ends the program before it is saved";
    if (!proctrack_type.empty() && proctrack_type != k_type)
        return Error{Code::unsupported_setting,
                     std::format(k_why, std::format("with ProctrackType={} in slurm.conf", proctrack_type)),
                     std::format("an admin can set {}", k_type), 0};
    if (signals_children)
        return Error{Code::unsupported_setting,
                     std::format(k_why, "with SignalChildrenProcesses=yes in cgroup.conf"),
                     "an admin can set it to no", 0};
    return std::nullopt;
}

} // namespace ckpt
