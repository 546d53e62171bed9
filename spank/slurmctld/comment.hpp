// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace ckpt {

// The text of a comment field after `reason` was added to what somebody else wrote there. One line of
// printable ASCII, at most 400 bytes of `reason`; an older reason of ours at the end ("checkpoint: …") is
// replaced.
std::string with_reason(std::string_view comment, std::string_view reason);

// The newest reason of ours in such a text, without "checkpoint: "; empty if there is none.
std::string reason_in(std::string_view comment);

} // namespace ckpt
