// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

using Variables = std::vector<std::string>; // NAME=VALUE

std::string value_of(const Variables& variables, std::string_view name); // "" = not there

// What a step gets that is asked for by a script of an earlier incarnation. Slurm's variables that the script
// still has as the `first` incarnation had them get the value they have `now`, or go; what the script has set
// or removed stays so.
Variables for_this_incarnation(const Variables& script, const Variables& first, const Variables& now);

// Sets `name`.
void set_variable(Variables& variables, std::string_view name, std::string_view value);

} // namespace ckpt
