// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <slurm/slurm.h>

namespace ckpt {

// slurm.conf as the process that loaded us has read it (slurm src/common/read_config.c:slurm_conf), or
// nullptr. Its layout is that of the Slurm headers we were built with, which plugins are tied to anyway.
const slurm_conf_t* slurm_configuration();

} // namespace ckpt
