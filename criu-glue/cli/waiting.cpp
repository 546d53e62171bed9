// SPDX-License-Identifier: GPL-2.0-or-later
#include "waiting.hpp"

#include <unistd.h>

#include <iostream>
#include <utility>

namespace ckpt::cli {

namespace {

constexpr std::chrono::seconds k_worth_saying{1};

} // namespace

Waiting::Waiting(std::string what) : m_what(std::move(what)), m_terminal(::isatty(STDERR_FILENO) == 1) {}

Waiting::~Waiting() {
    if (m_has_said) std::cerr << "\r\033[K" << std::flush;
}

void Waiting::look() {
    const auto waited = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - m_since);
    if (!m_terminal || waited < k_worth_saying) return;
    std::cerr << "\r\033[K" << m_what << ", " << waited.count() << " s" << std::flush;
    m_has_said = true;
}

} // namespace ckpt::cli
