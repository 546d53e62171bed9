// SPDX-License-Identifier: GPL-2.0-or-later
#include "say.hpp"

#include <unistd.h>

#include <string>

namespace ckpt {

void say(std::string_view line) {
    std::string text = "checkpoint: ";
    for (const char c : line)
        text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    text += '\n';
    (void)!::write(STDERR_FILENO, text.data(), text.size()); // a full disk must not stop the job
}

} // namespace ckpt
