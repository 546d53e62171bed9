// SPDX-License-Identifier: GPL-2.0-or-later
// How values that somebody else chose appear in our messages.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace ckpt {

// The value in double quotes, at most 64 characters of it; what is not printable ASCII becomes '?'. Of a
// longer value the size is told: "aaaa…" (1048576 bytes).
// Not "quoted": argument-dependent lookup would find std::quoted.
std::string quote(std::string_view value);

// ASCII only, so that no locale decides what an option means.
std::string lower(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);

// `did you mean "x"`, x being the candidate closest to `text`; "" if none is close.
std::string did_you_mean(std::string_view text, std::span<const std::string_view> candidates);

} // namespace ckpt
