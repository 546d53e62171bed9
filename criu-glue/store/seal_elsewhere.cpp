// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/seal_elsewhere.hpp"

#include <format>

#include "store/attempt.hpp"
#include "store/part_file.hpp"

namespace ckpt::store {
namespace {

Status check_spec(const SealSpec& spec) {
    CKPT_CHECK(check_owner(spec.owner));
    CKPT_CHECK(check_number(spec.id));
    if (spec.parts.empty()) return fail(Code::internal, "nothing to seal");
    Manifest manifest;
    for (const PartSource& source : spec.parts)
        manifest.parts.push_back(source.about);
    return check_tasks(manifest);
}

// Parts are named when all of them are there.
Result<std::uint64_t> seal_all(const JobAt& job, const SealSpec& spec, const Attempt& attempt,
                               PartSealer& sealer) {
    std::vector<SealedPart> sealed;
    std::uint64_t stored = 0;
    for (const PartSource& source : spec.parts) {
        CKPT_TRY(SealedPart part, sealer.seal(source));
        stored += part.stored_bytes;
        sealed.push_back(std::move(part));
    }
    CKPT_CHECK(job.volume.sync(job.packs()));
    for (const SealedPart& part : sealed) // which syncs the names of the indexes, too
        CKPT_CHECK(write_part(job, attempt, part));
    return stored;
}

// The committing node has made it. Over NFS, looking at what is above lets this node see what another one has
// just made.
Status find_job_dir(const JobAt& job) {
    Status there = require_job_dir(job);
    if (there || there.error().code != Code::not_found) return there;
    (void)job.volume.list(job.owner.cluster);
    there = require_job_dir(job);
    if (there || there.error().code != Code::not_found) return there;
    return tl::unexpected(no_job_dir(job, "another node saves the job, and its directory is not there"));
}

// Over NFS, looking for a successor first also lets this node see a directory that another one has just made.
Result<std::uint64_t> seal_to(const JobAt& job, const SealSpec& spec) {
    CKPT_CHECK(find_job_dir(job));
    CKPT_CHECK(check_place(job, spec.id));
    CKPT_TRY(const Attempt attempt, read_attempt(job, spec.id));
    const SealKey* key = job.keys.find(attempt.key_id);
    if (key == nullptr)
        return fail(Code::store_key, "this node's key file does not hold the key of the other parts",
                    "every node of the cluster needs the same key file");
    CKPT_TRY(PartSealer sealer, PartSealer::start(job, spec.id, *key, spec.compression));
    auto stored = seal_all(job, spec, attempt, sealer);
    if (stored) return stored;
    sealer.discard();
    // Given up meanwhile, which takes the directory away from under our feet: that is why it failed.
    const auto now = read_attempt(job, spec.id);
    const bool is_over = now ? now->nonce != attempt.nonce : now.error().code == Code::not_found;
    if (is_over) return fail(Code::not_found, "given up");
    return stored;
}

} // namespace

Result<std::uint64_t> seal_elsewhere(const Store& store, const SealSpec& spec) {
    CKPT_CHECK(check_spec(spec));
    CKPT_TRY(const JobAt job, job_at(store, spec.owner));
    auto stored = seal_to(job, spec);
    if (!stored && stored.error().code == Code::not_found)
        return fail(Code::deadline, std::format("{} is not on its way to {}: its commit was given up",
                                                to_text(spec.id), describe(job)));
    if (!stored)
        return tl::unexpected(store_error(
            stored.error(), std::format("cannot store parts of {} in {}", to_text(spec.id), describe(job))));
    return stored;
}

} // namespace ckpt::store
