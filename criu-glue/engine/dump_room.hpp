// SPDX-License-Identifier: GPL-2.0-or-later
// Whether there is room for a dump, asked while the tree still runs.
#pragma once

#include <cstdint>

#include "engine/dump.hpp"
#include "result/result.hpp"
#include "wire/engine_messages.hpp"

namespace ckpt {

// `memory`: bytes of the images at the least; `files`: of what is saved beside them. Code::dump_unfit.
Status judge_room(std::uint64_t memory, std::uint64_t files, std::uint64_t space);

// Measures both. What is not known does not stand against the dump.
Status check_room(const wire::DumpRequest& request, const DumpFds& fds);

} // namespace ckpt
