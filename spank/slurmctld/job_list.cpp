// SPDX-License-Identifier: GPL-2.0-or-later
#include "job_list.hpp"

#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>

#include <cerrno>
#include <memory>

#include "api.hpp"
#include "cause.hpp"

namespace ckpt {

Result<std::vector<std::uint32_t>> unfinished_jobs(std::uint32_t uid) {
    job_info_msg_t* raw = nullptr;
    // SHOW_ALL: jobs in hidden partitions as well; SHOW_LOCAL: as in load_job.
    if (slurm_load_job_user(&raw, uid, SHOW_ALL | SHOW_LOCAL) != SLURM_SUCCESS)
        return fail(Code::slurm_rpc, std::string("ask for the jobs of a user: ") + slurm_strerror(errno));
    const std::unique_ptr<job_info_msg_t, void (*)(job_info_msg_t*)> message(raw, slurm_free_job_info_msg);
    std::vector<std::uint32_t> ids;
    for (std::uint32_t i = 0; i < message->record_count; ++i)
        if (is_unfinished(message->job_array[i].job_state)) ids.push_back(message->job_array[i].job_id);
    return ids;
}

Result<std::string> cluster_name() {
    slurm_conf_t* raw = nullptr;
    if (slurm_load_ctl_conf(0, &raw) != SLURM_SUCCESS)
        return fail(Code::slurm_rpc,
                    std::string("ask for the name of the cluster: ") + slurm_strerror(errno));
    const std::unique_ptr<slurm_conf_t, void (*)(slurm_conf_t*)> conf(raw, free_conf);
    if (conf->cluster_name == nullptr) return fail(Code::slurm_rpc, "the cluster has no name");
    return std::string(conf->cluster_name);
}

} // namespace ckpt
