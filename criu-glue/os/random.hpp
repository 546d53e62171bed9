// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "result/result.hpp"

namespace ckpt {

// 32 hex digits from the kernel's generator. Code::os.
Result<std::string> make_uuid();
// As that makes them.
bool is_uuid(const std::string& text);

} // namespace ckpt
