// SPDX-License-Identifier: GPL-2.0-or-later
// A node's processor, as far as a program that was started on another one can rely on it.
#pragma once

#include <string>
#include <string_view>

#include "compat/needs.hpp"

namespace ckpt::compat {

// Of x86-64: instructions that a program may use without asking the kernel, as /proc/cpuinfo names them.
// Not: what only the kernel uses, what tells of a processor's faults and what is done about them, which
// differs between kernels on the same processor, and what makes an instruction faster and no other (erms).
bool is_seen_by_programs(std::string_view flag);

// `cpuinfo`: /proc/cpuinfo, or its beginning. Flags and model of the first processor that is told of whole;
// none when it has no line for them.
Processor processor_of(std::string_view cpuinfo, std::string machine);

// The processor that this runs on adds how it saves registers.
void add_register_sizes(Processor& cpu);

} // namespace ckpt::compat
