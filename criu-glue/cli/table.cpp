// SPDX-License-Identifier: GPL-2.0-or-later
#include "table.hpp"

#include <algorithm>

#include "result/printable.hpp"

namespace ckpt::cli {

namespace {

std::string padded(const std::string& cell, std::size_t width, bool right) {
    const std::string space(width - std::min(width, cell.size()), ' ');
    return right ? space + cell : cell + space;
}

} // namespace

void Table::add(std::vector<std::string> cells) {
    for (std::string& cell : cells)
        cell = printable(cell);
    cells.resize(m_columns.size());
    m_rows.push_back(std::move(cells));
}

std::string Table::text(bool header) const {
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < m_columns.size(); ++c) {
        std::size_t width = header ? m_columns[c].title.size() : 0;
        for (const auto& row : m_rows)
            width = std::max(width, row[c].size());
        widths.push_back(width);
    }
    std::string out;
    const auto line = [&](auto&& cell_of) {
        std::string text;
        for (std::size_t c = 0; c < m_columns.size(); ++c)
            text += (c == 0 ? "" : "  ") + padded(cell_of(c), widths[c], m_columns[c].right);
        text.erase(text.find_last_not_of(' ') + 1);
        out += text + "\n";
    };
    if (header) line([&](std::size_t c) { return m_columns[c].title; });
    for (const auto& row : m_rows)
        line([&](std::size_t c) { return row[c]; });
    return out;
}

} // namespace ckpt::cli
