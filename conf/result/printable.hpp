// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace ckpt {

// The text as it may be written to a terminal, a log or a job's output. Control characters (C0, DEL, C1), line
// and paragraph separators, marks that turn the direction of text, and bytes that are no UTF-8 become '?', so
// that no name that a user has chosen can begin another line, move a cursor or show as something else.
std::string printable(std::string_view text);

} // namespace ckpt
