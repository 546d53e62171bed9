// SPDX-License-Identifier: GPL-2.0-or-later
#include "held_lines.hpp"

namespace ckpt {

void HeldLines::add_ready(std::string_view bytes) {
    if (bytes.empty()) return;
    m_ready += bytes;
    m_within_line = bytes.back() != '\n';
}

void HeldLines::take(std::string_view bytes) {
    if (const std::size_t newline = bytes.rfind('\n'); newline != std::string_view::npos) {
        add_ready(m_line);
        m_line.clear();
        add_ready(bytes.substr(0, newline + 1));
        add_ready(m_said);
        m_said.clear();
        bytes.remove_prefix(newline + 1);
    }
    m_line += bytes;
    const std::size_t goes_on = m_whole_lines ? m_line.size() / k_message * k_message : m_line.size();
    add_ready(std::string_view(m_line).substr(0, goes_on));
    m_line.erase(0, goes_on);
}

void HeldLines::say(std::string_view lines) {
    if (m_within_line)
        m_said += lines;
    else
        add_ready(lines);
}

void HeldLines::end() {
    add_ready(m_line);
    m_line.clear();
    add_ready(m_said);
    m_said.clear();
}

void HeldLines::clear() {
    *this = HeldLines(m_whole_lines);
}

void HeldLines::sent(std::size_t bytes) {
    m_sent += bytes;
    if (m_sent < m_ready.size()) return;
    m_ready.clear();
    m_sent = 0;
}

} // namespace ckpt
