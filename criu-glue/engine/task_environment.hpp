// SPDX-License-Identifier: GPL-2.0-or-later
// What a task was started with. Its user may have changed any of it.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "result/result.hpp"

namespace ckpt {

// "NAME=VALUE", each with a NUL behind it.
Result<std::string> environment_of(pid_t pid);

// The value of a variable; empty when there is none.
std::string_view variable_in(std::string_view environment, std::string_view name);

} // namespace ckpt
