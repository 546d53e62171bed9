// SPDX-License-Identifier: GPL-2.0-or-later
#include "sbatch_options.hpp"

#include <dlfcn.h>

#include <slurm/slurm.h>

namespace ckpt {

std::optional<SbatchOptions> SbatchOptions::find() {
    // `opt` is the name of salloc's and srun's options as well; `sbopt` is sbatch's alone.
    if (::dlsym(RTLD_DEFAULT, "sbopt") == nullptr) return std::nullopt;
    void* opt = ::dlsym(RTLD_DEFAULT, "opt");
    auto is_set = reinterpret_cast<IsSet>(::dlsym(RTLD_DEFAULT, "slurm_option_isset"));
    auto set = reinterpret_cast<Set>(::dlsym(RTLD_DEFAULT, "slurm_option_set"));
    if (opt == nullptr || is_set == nullptr || set == nullptr) return std::nullopt;
    return SbatchOptions(opt, is_set, set);
}

bool SbatchOptions::is_set(const char* name) const {
    return m_is_set(m_opt, name);
}

bool SbatchOptions::set(const char* name, const char* value) const {
    return m_set(m_opt, name, value, false) == 0;
}

bool SbatchOptions::appends_by_default() {
    const auto* conf = static_cast<const slurm_conf_t*>(::dlsym(RTLD_DEFAULT, "slurm_conf"));
    return conf != nullptr && conf->job_file_append != 0;
}

} // namespace ckpt
