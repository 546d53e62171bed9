// SPDX-License-Identifier: GPL-2.0-or-later
#include "say.hpp"

#include <unistd.h>

#include <string>
#include <utility>

#include "result/printable.hpp"

namespace ckpt {

namespace {
std::function<void(std::string_view)> g_writer; // NOLINT(cert-err58-cpp): its constructor does nothing
} // namespace

void say_through(std::function<void(std::string_view text)> writer) {
    g_writer = std::move(writer);
}

void say(std::string_view line) {
    const std::string text = "checkpoint: " + printable(line) + "\n";
    if (g_writer) return g_writer(text);
    (void)!::write(STDERR_FILENO, text.data(), text.size()); // a full disk must not stop the job
}

} // namespace ckpt
