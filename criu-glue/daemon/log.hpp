// SPDX-License-Identifier: GPL-2.0-or-later
// One line per event on standard error, which systemd's journal or the site's log file takes. "<N>" is the
// syslog priority as sd-daemon(3) defines it. Control characters are replaced: much of the text comes from
// users.
#pragma once

#include <cstdint>
#include <string>

#include "result/result.hpp"

namespace ckpt::log {

void info(const std::string& text);
void warning(const std::string& text);
void error(const std::string& text);
inline void error(const std::string& what, const Error& cause) {
    error(what + ": " + one_line(cause));
}

} // namespace ckpt::log
