// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/job_at.hpp"

#include <cerrno>
#include <utility>

namespace ckpt::store {

std::string JobAt::incarnation(std::uint32_t number) const {
    return dir + "/" + incarnation_dir_name(number);
}

std::string JobAt::generation(GenerationId id) const {
    return incarnation(id.incarnation) + "/" + generation_dir_name(id.generation);
}

std::string JobAt::packs() const {
    return dir + "/" + std::string(k_packs_name);
}

Result<JobAt> job_at(const Store& store, const Owner& owner) {
    CKPT_CHECK(check_owner(owner));
    CKPT_TRY(JobKeys keys, derive_job_keys(store.keys, owner));
    return JobAt{store.volume, owner, std::move(keys), owner.cluster + "/" + job_dir_name(owner)};
}

Status require_job_dir(const JobAt& job) {
    return job.volume.list(job.dir).map([](const auto&) {});
}

Status make_job_dir(const JobAt& job) {
    CKPT_CHECK(job.volume.make_dir(job.owner.cluster));
    return job.volume.make_dir(job.dir);
}

Error no_job_dir(const JobAt& job, std::string what) {
    return {Code::store_unwritable, std::move(what),
            "is its file system mounted on this node? If it was removed: mkdir -p " + describe(job), ENOENT};
}

Error store_error(Error error, const std::string& action) {
    error.what = action + ": " + error.what;
    if (error.code == Code::restore_impossible) return error; // this node's trouble
    if (error.errnum == ENOSPC || error.errnum == EDQUOT) {
        error.code = Code::store_full;
        if (error.hint.empty()) error.hint = "free space there or raise the quota";
    } else if (error.code == Code::os || error.code == Code::not_found || error.code == Code::deadline) {
        error.code = Code::store_unwritable;
    }
    return error;
}

std::string describe(const JobAt& job) {
    return job.volume.name() + "/" + job.dir;
}

} // namespace ckpt::store
