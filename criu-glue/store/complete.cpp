// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/complete.hpp"

#include <ctime>
#include <format>

#include "store/choice.hpp"
#include "store/prune.hpp"
#include "store/scan.hpp"

namespace ckpt::store {
namespace {

Status complete_in(int job, const SealKey& key, const CompleteSpec& spec) {
    CKPT_TRY(const JobState state, scan(job, spec.owner, key));
    if (const auto successor = successor_of(state, spec.incarnation))
        return fail(Code::not_permitted, std::format("incarnation {} of the job has taken over", *successor));
    CKPT_TRY(const Fd own, make_durable_dir(job, incarnation_dir_name(spec.incarnation)));
    if (spec.failed) {
        Failed failed = *spec.failed;
        failed.at = std::time(nullptr);
        return write_failed(own.get(), spec.owner, spec.incarnation, failed, key);
    }
    if (spec.stopped) {
        Stopped stopped = *spec.stopped;
        stopped.at = std::time(nullptr);
        return write_stopped(own.get(), spec.owner, spec.incarnation, stopped, key);
    }
    const Completed completed{spec.wait_status, std::time(nullptr), spec.will_be_requeued,
                              state.newest_generation};
    CKPT_CHECK(write_completed(own.get(), spec.owner, spec.incarnation, completed, key));
    return spec.drop_generations ? drop_all(job, spec.owner, key, spec.incarnation) : Status{};
}

} // namespace

Status complete(const Base& base, const ClusterKey& key, const CompleteSpec& spec) {
    CKPT_TRY(const SealKey seal_key, derive_seal_key(key, spec.owner));
    const std::string action = std::format("cannot record the end of the job in {}/{}/{}", base.path,
                                           spec.owner.cluster, job_dir_name(spec.owner));
    const auto job = open_job_dir(base, spec.owner);
    if (!job && job.error().code == Code::not_found) return {};
    if (!job) return tl::unexpected(store_error(job.error(), action));
    if (auto done = complete_in(job->get(), seal_key, spec); !done)
        return tl::unexpected(store_error(done.error(), action));
    return {};
}

} // namespace ckpt::store
