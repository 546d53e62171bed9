// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/commit.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <format>
#include <limits>

#include "os/files.hpp"
#include "os/safe_path.hpp"
#include "store/choice.hpp"
#include "store/image_copy.hpp"
#include "store/prune.hpp"
#include "store/scan.hpp"
#include "store/seal.hpp"
#include "store/sealed_file.hpp"

namespace ckpt::store {
namespace {

std::string temp_name(GenerationId id) {
    return std::string(k_temp_prefix) + generation_dir_name(id.generation);
}

Status check_spec(const CommitSpec& spec) {
    CKPT_CHECK(check_owner(spec.owner));
    if (spec.id.generation == 0 || spec.id.generation > k_generation_max)
        return fail(Code::internal, std::format("generation {} is not a number from 1 to {}",
                                                spec.id.generation, k_generation_max));
    if (spec.parts.empty()) return fail(Code::internal, "a generation without parts");
    for (auto part = spec.parts.begin(); part != spec.parts.end(); ++part)
        if (std::any_of(spec.parts.begin(), part, [&](const PartSource& other) {
                return other.about.step_id == part->about.step_id &&
                       other.about.task_id == part->about.task_id;
            }))
            return fail(Code::internal, "a generation with the same part twice");
    return {};
}

// May this incarnation still add this generation? Asked before the work and again right before it becomes
// visible; a successor that appears even later is protected by its record (choice.hpp).
Status check_place(int job, const CommitSpec& spec, const SealKey& key) {
    CKPT_TRY(const JobState state, scan(job, spec.owner, key));
    if (const auto successor = successor_of(state, spec.id.incarnation))
        return fail(Code::not_permitted, std::format("incarnation {} of the job has taken over", *successor));
    const IncarnationState* own = state.incarnation(spec.id.incarnation);
    if (own == nullptr) return {};
    if (own->completed.state != RecordState::absent)
        return fail(Code::not_permitted, "the job has ended in this incarnation");
    if (!own->generations.empty() && own->generations.front() >= spec.id.generation)
        return fail(Code::internal, std::format("generation {} exists already", own->generations.front()));
    return {};
}

// What a commit that was killed has left behind.
Status sweep(int incarnation) {
    CKPT_TRY(const auto names, list_dir(incarnation));
    for (const std::string& name : names)
        if (name.starts_with(k_temp_prefix) &&
            generation_of(std::string_view(name).substr(k_temp_prefix.size())))
            CKPT_CHECK(remove_tree(incarnation, name));
    return {};
}

Result<std::uint64_t> fill(int temp, const SealKey& key, const CommitSpec& spec) {
    Manifest manifest;
    manifest.owner = spec.owner;
    manifest.id = spec.id;
    manifest.key_id = key.id;
    manifest.created_at = std::time(nullptr);
    manifest.taken_at = spec.taken_at;
    manifest.reason = spec.reason;
    manifest.tree_was_stopped = spec.tree_was_stopped;
    std::size_t files_left = k_files_max;
    for (const PartSource& source : spec.parts) {
        PartEntry part = source.about;
        CKPT_TRY(const Fd dir, make_dir_beneath(temp, part_dir_name(part.step_id, part.task_id), 0700));
        CKPT_TRY(StoredFiles stored, store_files(source.dir, dir.get(), files_left));
        files_left -= stored.files.size();
        part.files = std::move(stored.files);
        manifest.stored_bytes += stored.written;
        manifest.parts.push_back(std::move(part));
    }
    CKPT_TRY(const std::size_t manifest_size, write_sealed(temp, k_manifest_name, to_json(manifest), key));
    return manifest.stored_bytes + manifest_size;
}

// The moment the generation comes into being.
Status publish(int job, int incarnation, const SealKey& key, const CommitSpec& spec) {
    CKPT_CHECK(check_place(job, spec, key));
    const std::string temp = temp_name(spec.id);
    const std::string name = generation_dir_name(spec.id.generation);
    if (::renameat(incarnation, temp.c_str(), incarnation, name.c_str()) != 0)
        return fail_errno(Code::os, "rename " + temp);
    auto synced = sync_fd(incarnation, "the incarnation's directory");
    // Not durable is not there: the caller goes on as if it had never been.
    if (!synced) (void)::renameat(incarnation, name.c_str(), incarnation, temp.c_str());
    return synced;
}

Result<std::uint64_t> commit_below(int job, int incarnation, const SealKey& key, const CommitSpec& spec) {
    CKPT_CHECK(sweep(incarnation));
    const std::string temp = temp_name(spec.id);
    const auto attempt = [&]() -> Result<std::uint64_t> {
        CKPT_TRY(const Fd dir, make_dir_beneath(incarnation, temp, 0700));
        CKPT_TRY(const std::uint64_t stored, fill(dir.get(), key, spec));
        CKPT_CHECK(publish(job, incarnation, key, spec));
        return stored;
    };
    auto stored = attempt();
    if (!stored)
        (void)remove_tree(incarnation, temp); // the error that matters is the first; sweep() tries again
    return stored;
}

} // namespace

Result<CommitDone> commit(const Base& base, const ClusterKey& key, const CommitSpec& spec) {
    CKPT_CHECK(check_spec(spec));
    CKPT_TRY(const SealKey seal_key, derive_seal_key(key, spec.owner));
    const std::string action = std::format("cannot store {} in {}/{}/{}", to_text(spec.id), base.path,
                                           spec.owner.cluster, job_dir_name(spec.owner));
    const auto located = [&](const Error& error) { return store_error(error, action); };

    const auto job = make_job_dir(base, spec.owner);
    if (!job) return tl::unexpected(located(job.error()));
    if (auto allowed = check_place(job->get(), spec, seal_key); !allowed)
        return tl::unexpected(located(allowed.error()));
    const auto incarnation = make_durable_dir(job->get(), incarnation_dir_name(spec.id.incarnation));
    if (!incarnation) return tl::unexpected(located(incarnation.error()));
    const auto stored = commit_below(job->get(), incarnation->get(), seal_key, spec);
    if (!stored) return tl::unexpected(located(stored.error()));

    CommitDone done{*stored, {}};
    if (auto pruned = prune(job->get(), spec.owner, seal_key, spec.id.incarnation, std::max(1U, spec.keep));
        !pruned)
        done.notes.push_back(one_line(store_error(pruned.error(), "cannot remove old generations")));
    return done;
}

} // namespace ckpt::store
