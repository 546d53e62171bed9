// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace ckpt {

constexpr const char* k_stand_in_dir = CKPT_LIBEXEC_DIR "/bin";

// `path` without our directory.
std::string without_stand_in(const std::string& path);

// The first executable `srun` of `path` that is not the file `self`; empty when there is none.
std::string find_real_srun(const std::string& path, const std::string& self);

} // namespace ckpt
