// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string_view>

namespace ckpt {

// Writes "checkpoint: LINE\n" to the job's stderr in one write(2), so that it is never torn by the job's own
// output. Whoever sent the line, it stays one line.
void say(std::string_view line);

// From now on somebody else writes these lines, who knows where the job's own begin. Given the whole text.
void say_through(std::function<void(std::string_view text)> writer);

} // namespace ckpt
