// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/other_job.hpp"

#include <algorithm>
#include <format>
#include <limits>

#include "store/choice.hpp"
#include "store/manifest.hpp"
#include "store/scan.hpp"

namespace ckpt::store {
namespace {

constexpr GenerationId k_newest{std::numeric_limits<std::uint32_t>::max(), k_generation_max};

struct Newest {
    Adopted adopted;
    std::int64_t created_at = 0;
};

// The newest generation (or the one with that number) of one job, if it or an older one verifies: what does
// not is passed over where it is tried, with a line.
Result<std::optional<Newest>> newest_of(const JobAt& job, std::uint32_t generation) {
    CKPT_TRY(const auto ids, generations_up_to(job, k_newest));
    std::optional<GenerationId> newest;
    for (const GenerationId id : ids) {
        if (generation != 0 && id.generation != generation) continue;
        if (!newest) newest = id;
        const auto manifest = verified_manifest(job, id);
        if (!manifest) continue;
        return Newest{{newest, OtherJob{job.owner.job_id, job.owner.uuid}}, manifest->created_at};
    }
    return std::nullopt;
}

} // namespace

Status may_go_on(const GoingOn& going, const JobState& state, const ActiveJobs& unfinished) {
    // One of salloc is on one checkpoint at a time (daemon/allocation.cpp).
    if (going.from_job != going.by_job && unfinished.contains(going.from_job))
        return fail(
            Code::restore_source,
            std::format("job {} has not ended, and two cannot go on from where it was", going.from_job),
            std::format("scancel {} first, then scontrol release this one, or try again", going.from_job));
    if (going.generation != 0) return {};
    for (const IncarnationState& inc : state.incarnations)
        for (const Claimed& claim : inc.claims)
            if (claim.by_job != going.by_job && unfinished.contains(claim.by_job))
                return fail(Code::restore_source,
                            std::format("job {} goes on from job {} already, and has not ended", claim.by_job,
                                        going.from_job),
                            std::format("scancel {} first, then scontrol release this one; or name the "
                                        "generation to have both: --checkpoint-restore={}@GENERATION",
                                        claim.by_job, going.from_job));
    return {};
}

Result<std::vector<GenerationId>> generations_up_to(const JobAt& job, GenerationId newest) {
    CKPT_TRY(const JobState state, scan(job));
    // A job that has ended is gone on from all the same: that is what was asked for.
    JobState open = state;
    for (IncarnationState& inc : open.incarnations)
        if (inc.completed.state == RecordState::valid) inc.completed = {};
    auto ids = choose(open, k_newest.incarnation).candidates;
    std::erase_if(ids, [&](GenerationId id) { return id > newest; });
    return ids;
}

std::optional<Owner> claimed_owner(Volume& volume, const std::string& cluster, const std::string& name,
                                   std::optional<std::uint32_t> uid) {
    const std::string job_dir = cluster + "/" + name;
    const auto incarnations = volume.list(job_dir);
    if (!incarnations) return std::nullopt;
    for (const std::string& incarnation : *incarnations) {
        if (!incarnation_of(incarnation)) continue;
        const std::string dir = job_dir + "/" + incarnation;
        const auto entries = volume.list(dir);
        if (!entries) continue;
        for (const std::string& entry : *entries) {
            if (!generation_of(entry)) continue;
            const auto claims = claimed_manifests(volume, dir + "/" + entry);
            if (!claims) continue;
            for (const Manifest& claim : *claims)
                if (claim.owner.cluster == cluster && job_dir_name(claim.owner) == name &&
                    claim.owner.uid == uid.value_or(claim.owner.uid))
                    return claim.owner;
        }
    }
    return std::nullopt;
}

Result<std::vector<Owner>> owners_of(Volume& volume, const std::string& cluster, std::uint32_t job_id) {
    std::vector<Owner> owners;
    const auto names = volume.list(cluster);
    if (!names && names.error().code == Code::not_found) return owners;
    if (!names) return tl::unexpected(names.error());
    for (const std::string& name : *names) {
        const auto number = job_id_of(name);
        if (!number || (job_id != 0 && *number != job_id)) continue;
        if (const auto owner = claimed_owner(volume, cluster, name)) owners.push_back(*owner);
    }
    return owners;
}

Result<Adopted> choose_other_job(const Store& store, const Owner& who, std::uint32_t job_id,
                                 std::uint32_t generation) {
    CKPT_TRY(const auto owners, owners_of(store.volume, who.cluster, job_id));
    std::optional<Newest> best;
    for (const Owner& owner : owners) {
        if (owner.uid != who.uid) continue;
        CKPT_TRY(const JobAt job, job_at(store, owner));
        CKPT_TRY(auto newest, newest_of(job, generation));
        if (newest && (!best || newest->created_at > best->created_at)) best = std::move(newest);
    }
    if (best) return best->adopted;
    const std::string what = generation == 0
                                 ? std::format("job {} of yours has no checkpoint", job_id)
                                 : std::format("job {} of yours has no generation {}", job_id, generation);
    return fail(
        Code::restore_source, what,
        "see `sckpt list` for what there is; a job with --checkpoint-dir has them there, and this one "
        "needs the same");
}

} // namespace ckpt::store
