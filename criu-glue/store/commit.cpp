// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/commit.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <format>
#include <optional>

#include "store/choice.hpp"
#include "store/packs.hpp"
#include "store/prune.hpp"
#include "store/scan.hpp"
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
    Manifest manifest;
    for (const PartSource& source : spec.parts)
        manifest.parts.push_back(source.about);
    manifest.exited = spec.exited;
    manifest.step_dir = spec.step_dir;
    return check_tasks(manifest); // it could not be read again
}

// May this incarnation still add this generation? Asked before the work and again right before it becomes
// visible; a successor that appears even later is protected by its record (choice.hpp).
Status check_place(const JobAt& job, const CommitSpec& spec) {
    CKPT_TRY(const JobState state, scan(job));
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

// What a commit that was killed has left behind. Packs that cannot be told apart stay: a manifest that cannot
// be read is no reason against a new checkpoint, and prune() says so.
Status sweep(const JobAt& job, std::uint32_t incarnation) {
    const std::string dir = job.incarnation(incarnation);
    CKPT_TRY(const auto names, job.volume.list(dir));
    for (const std::string& name : names)
        if (name.starts_with(k_temp_prefix) &&
            generation_of(std::string_view(name).substr(k_temp_prefix.size())))
            CKPT_CHECK(job.volume.remove(std::format("{}/{}", dir, name)));
    (void)sweep_packs(job, incarnation);
    return {};
}

class Commit {
public:
    Commit(const JobAt& job, const CommitSpec& spec)
        : m_job(job), m_spec(spec), m_incarnation(job.incarnation(spec.id.incarnation)),
          m_temp(m_incarnation + "/" + temp_name(spec.id)) {}

    Result<std::uint64_t> run() {
        CKPT_CHECK(sweep(m_job, m_spec.id.incarnation));
        auto stored = attempt();
        if (!stored) { // the error that matters is the first; sweep() tries again
            (void)m_job.volume.remove(m_temp);
            (void)sweep_packs(m_job, m_spec.id.incarnation);
        }
        return stored;
    }

private:
    Result<std::uint64_t> attempt() {
        CKPT_CHECK(m_job.volume.make_dir(m_job.packs()));
        CKPT_CHECK(m_job.volume.make_dir(m_temp));
        CKPT_CHECK(find_parent());
        CKPT_TRY(const std::uint64_t stored, fill());
        CKPT_CHECK(publish());
        return stored;
    }

    // The newest generation that this one may share pages with: of what this incarnation has come from, and
    // sealed with the key in force.
    Status find_parent() {
        CKPT_TRY(const JobState state, scan(m_job));
        for (const GenerationId id : choose(state, m_spec.id.incarnation).candidates) {
            auto manifest = verified_manifest(m_job, id);
            if (!manifest || manifest->key_id != m_job.keys.sealing().id) continue;
            m_parent = std::move(*manifest);
            break;
        }
        return {};
    }

    // The same task in the parent, where its step may have had another number.
    [[nodiscard]] const PartEntry* part_before(const PartEntry& part) const {
        if (!m_parent) return nullptr;
        return part.stand_in != 0 ? m_parent->part_of(part.stand_in, part.task_id)
                                  : m_parent->part(part.step_id, part.task_id);
    }

    Result<SealedImages> seal_part(const PartSource& source) {
        const std::string name = index_name(source.about.step_id, source.about.task_id);
        const ImagesPlace place{m_job.volume, m_job.dir, m_temp + "/" + name, m_job.keys.sealing()};
        const PartEntry* before = part_before(source.about);
        const std::uint32_t incarnation = m_spec.id.incarnation;
        if (before == nullptr || !m_parent)
            return seal_images(source.dir, place, nullptr, incarnation, m_spec.compression);
        const std::string name_before = index_name(before->step_id, before->task_id);
        const Parent parent{
            {m_job.volume, m_job.dir, m_job.generation(m_parent->id) + "/" + name_before, place.key},
            before->images,
            m_spec.id.generation};
        return seal_images(source.dir, place, &parent, incarnation, m_spec.compression);
    }

    Result<std::uint64_t> fill() {
        Manifest manifest;
        manifest.owner = m_spec.owner;
        manifest.id = m_spec.id;
        manifest.key_id = m_job.keys.sealing().id;
        manifest.created_at = std::time(nullptr);
        manifest.taken_at = m_spec.taken_at;
        manifest.reason = m_spec.reason;
        manifest.tree_was_stopped = m_spec.tree_was_stopped;
        manifest.exited = m_spec.exited;
        manifest.step_dir = m_spec.step_dir;
        for (const PartSource& source : m_spec.parts) {
            PartEntry part = source.about;
            CKPT_TRY(SealedImages sealed, seal_part(source));
            part.images = std::move(sealed.entry);
            manifest.stored_bytes += sealed.stored_bytes;
            manifest.parts.push_back(std::move(part));
        }
        CKPT_CHECK(m_job.volume.sync(m_job.packs()));
        CKPT_TRY(const std::size_t manifest_size, write_sealed(m_job.volume, m_temp, k_manifest_name,
                                                               to_json(manifest), m_job.keys.sealing()));
        return manifest.stored_bytes + manifest_size;
    }

    // The moment the generation comes into being.
    Status publish() {
        CKPT_CHECK(check_place(m_job, m_spec));
        const std::string name = m_job.generation(m_spec.id);
        CKPT_CHECK(m_job.volume.rename(m_temp, name));
        auto synced = m_job.volume.sync(m_incarnation);
        // Not durable is not there: the caller goes on as if it had never been.
        if (!synced) (void)m_job.volume.rename(name, m_temp);
        return synced;
    }

    const JobAt& m_job;
    const CommitSpec& m_spec;
    std::string m_incarnation;
    std::string m_temp;
    std::optional<Manifest> m_parent;
};

// What a job has saved lies in its directory; another one of that name would hide it.
Status ready_job_dir(const JobAt& job, bool has_generations) {
    if (!has_generations) return make_job_dir(job);
    Status there = require_job_dir(job);
    if (there || there.error().code != Code::not_found) return there;
    return tl::unexpected(Error{
        Code::store_unwritable, "the job has saved checkpoints, and its directory is gone",
        "is its file system mounted on this node? If it was removed: mkdir -p " + describe(job), ENOENT});
}

Result<CommitDone> commit_to(const JobAt& job, const CommitSpec& spec) {
    CKPT_CHECK(ready_job_dir(job, spec.has_generations));
    CKPT_CHECK(check_place(job, spec));
    CKPT_CHECK(job.volume.make_dir(job.incarnation(spec.id.incarnation)));
    CKPT_TRY(const std::uint64_t stored, Commit(job, spec).run());
    CommitDone done{stored, {}};
    if (auto pruned = prune(job, spec.id.incarnation, std::max(1U, spec.keep)); !pruned)
        done.notes.push_back(one_line(store_error(pruned.error(), "cannot remove old generations")));
    return done;
}

} // namespace

Result<CommitDone> commit(const Store& store, const CommitSpec& spec) {
    CKPT_CHECK(check_spec(spec));
    CKPT_TRY(const JobAt job, job_at(store, spec.owner));
    auto done = commit_to(job, spec);
    if (!done)
        return tl::unexpected(
            store_error(done.error(), std::format("cannot store {} in {}", to_text(spec.id), describe(job))));
    return done;
}

} // namespace ckpt::store
