// SPDX-License-Identifier: GPL-2.0-or-later
#include "given_options.hpp"

namespace ckpt {

void GivenOptions::set(const OptionRow& row, std::string_view value) {
    m_values[row.option] = value;
}

std::vector<std::pair<std::string, std::string>> GivenOptions::list() const {
    std::vector<std::pair<std::string, std::string>> all;
    all.reserve(m_values.size());
    for (const auto& [option, value] : m_values)
        all.emplace_back(option_row(option).name, value);
    return all;
}

GivenRequest request_of(const GivenOptions& options) {
    GivenRequest given;
    for (const auto& [name, value] : options.list())
        if (!given.request.set(name, value)) given.understood = false;
    given.asked_for = !options.empty() && given.request.enabled != false;
    return given;
}

} // namespace ckpt
