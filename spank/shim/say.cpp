// SPDX-License-Identifier: GPL-2.0-or-later
#include "say.hpp"

#include <unistd.h>

#include <string>
#include <utility>

namespace ckpt {

namespace {
std::function<void(std::string_view)> g_writer; // NOLINT(cert-err58-cpp): its constructor does nothing
} // namespace

void say_through(std::function<void(std::string_view text)> writer) {
    g_writer = std::move(writer);
}

void say(std::string_view line) {
    std::string text = "checkpoint: ";
    for (const char c : line)
        text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    text += '\n';
    if (g_writer) return g_writer(text);
    (void)!::write(STDERR_FILENO, text.data(), text.size()); // a full disk must not stop the job
}

} // namespace ckpt
