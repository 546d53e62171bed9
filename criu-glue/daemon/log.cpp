// SPDX-License-Identifier: GPL-2.0-or-later
#include "log.hpp"

#include <unistd.h>

#include "result/printable.hpp"

namespace ckpt::log {

namespace {

constexpr std::size_t k_line_max = 2000;

void line(const char* priority, std::string text) {
    if (text.size() > k_line_max) text.resize(k_line_max);
    text = priority + printable(text) + "\n";
    (void)!::write(STDERR_FILENO, text.data(), text.size());
}

} // namespace

void info(const std::string& text) {
    line("<6>", text);
}
void warning(const std::string& text) {
    line("<4>", text);
}
void error(const std::string& text) {
    line("<3>", text);
}

} // namespace ckpt::log
