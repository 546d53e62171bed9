// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string_view>

#include "result/result.hpp"

namespace ckpt {

// RFC 5869 with SHA-256.
Status hkdf_sha256(std::span<const unsigned char> key, std::string_view salt, std::string_view info,
                   std::span<unsigned char> out);

} // namespace ckpt
