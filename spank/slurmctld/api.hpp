// SPDX-License-Identifier: GPL-2.0-or-later
// What Slurm's C interface says in another way since 26.05: a job is a slurm_step_id_t in its calls, no
// longer a number.
#pragma once

#include <slurm/slurm.h>

#include <cstdint>

namespace ckpt {

#if SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(26, 5, 0)

inline slurm_step_id_t id_of(std::uint32_t job_id) {
    slurm_step_id_t id = SLURM_STEP_ID_INITIALIZER;
    id.job_id = job_id;
    return id;
}

inline void set_id(job_desc_msg_t& request, std::uint32_t job_id) {
    request.step_id = id_of(job_id);
}

inline void free_conf(slurm_conf_t* conf) {
    slurm_free_conf(conf);
}

#else

inline std::uint32_t id_of(std::uint32_t job_id) {
    return job_id;
}

inline void set_id(job_desc_msg_t& request, std::uint32_t job_id) {
    request.job_id = job_id;
}

inline void free_conf(slurm_conf_t* conf) {
    slurm_free_ctl_conf(conf);
}

#endif

} // namespace ckpt
