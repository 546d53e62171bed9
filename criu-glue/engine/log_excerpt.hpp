// SPDX-License-Identifier: GPL-2.0-or-later
// What CRIU's words mean for the person who reads our message.
#pragma once

#include <string>
#include <string_view>

#include "result/result.hpp"

namespace ckpt {

// An error made of CRIU's first error line: cause and remedy where the line is a known one, else the line
// itself.
Error explain_criu(Code code, std::string_view first_error_line);

// The first "Error (…)" line in a CRIU log, without its time stamp; "" when there is none.
std::string first_error_of(std::string_view log);

} // namespace ckpt
