// SPDX-License-Identifier: GPL-2.0-or-later
#include "sbatch_options.hpp"

#include <dlfcn.h>

#include "slurm_configuration.hpp"

namespace ckpt {

std::optional<SbatchOptions> SbatchOptions::find() {
    // `opt` is the name of salloc's and srun's options as well; `sbopt` is sbatch's alone.
    if (::dlsym(RTLD_DEFAULT, "sbopt") == nullptr) return std::nullopt;
    void* opt = ::dlsym(RTLD_DEFAULT, "opt");
    auto is_set = reinterpret_cast<IsSet>(::dlsym(RTLD_DEFAULT, "slurm_option_isset"));
    auto set = reinterpret_cast<Set>(::dlsym(RTLD_DEFAULT, "slurm_option_set"));
    if (opt == nullptr || is_set == nullptr || set == nullptr) return std::nullopt;
    auto get = reinterpret_cast<Get>(::dlsym(RTLD_DEFAULT, "slurm_option_get"));
    return SbatchOptions(opt, is_set, set, get);
}

bool SbatchOptions::is_set(const char* name) const {
    return m_is_set(m_opt, name);
}

std::string SbatchOptions::value(const char* name) const {
    if (m_get == nullptr) return {};
    char* text = m_get(m_opt, name); // not freed: xfree is no part of SPANK, and sbatch ends soon
    return text != nullptr ? text : "";
}

bool SbatchOptions::set(const char* name, const char* value) const {
    return m_set(m_opt, name, value, false) == 0;
}

// Both options have the same getter (slurm_opt.c:arg_get_requeue): "unset", "no-requeue", "requeue" or, from
// 25.11, "expedite".
SbatchOptions::Requeue SbatchOptions::requeue() const {
    const std::string said = value("requeue");
    if (said.empty()) // it cannot say
        return is_set("no-requeue") ? Requeue::no : is_set("requeue") ? Requeue::yes : Requeue::unset;
    return said == "unset" ? Requeue::unset : said == "no-requeue" ? Requeue::no : Requeue::yes;
}

bool SbatchOptions::appends_by_default() {
    const slurm_conf_t* conf = slurm_configuration();
    return conf != nullptr && conf->job_file_append != 0;
}

} // namespace ckpt
