// SPDX-License-Identifier: GPL-2.0-or-later
#include "slurm_configuration.hpp"

#include <dlfcn.h>

namespace ckpt {

const slurm_conf_t* slurm_configuration() {
    return static_cast<const slurm_conf_t*>(::dlsym(RTLD_DEFAULT, "slurm_conf"));
}

} // namespace ckpt
