// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/commit.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <format>
#include <utility>

#include "fault/fault.hpp"
#include "store/attempt.hpp"
#include "store/history.hpp"
#include "store/packs.hpp"
#include "store/part_file.hpp"
#include "store/prune.hpp"
#include "store/sealed_file.hpp"

namespace ckpt::store {
namespace {

Status check_spec(const CommitSpec& spec) {
    CKPT_CHECK(check_owner(spec.owner));
    CKPT_CHECK(check_number(spec.id));
    if (spec.parts.empty() && spec.elsewhere.parts.empty())
        return fail(Code::internal, "a generation without parts");
    Manifest manifest;
    for (const PartSource& source : spec.parts)
        manifest.parts.push_back(source.about);
    for (const StepPart& other : spec.elsewhere.parts) {
        PartEntry& part = manifest.parts.emplace_back();
        part.step_id = other.step_id;
        part.task_id = other.task_id;
        part.stand_in = other.stand_in;
    }
    manifest.exited = spec.exited;
    manifest.step_dir = spec.step_dir;
    return check_tasks(manifest); // it could not be read again
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

// What stays known of it when it is gone.
Json about_generation(const Manifest& manifest) {
    Json nodes = Json::array();
    std::uint64_t image_bytes = 0;
    std::uint64_t frozen_us = 0;
    for (const PartEntry& part : manifest.parts) {
        if (std::ranges::find(nodes, Json(part.node)) == nodes.end()) nodes.push_back(part.node);
        image_bytes += part.image_bytes;
        frozen_us = std::max(frozen_us, part.frozen_us);
    }
    return {{"event", "generation"},
            {"at", manifest.taken_at},
            {"saved_at", static_cast<std::int64_t>(std::time(nullptr))},
            {"incarnation", manifest.id.incarnation},
            {"generation", manifest.id.generation},
            {"since", manifest.since},
            {"cpus", manifest.cpus},
            {"reason", manifest.reason},
            {"nodes", std::move(nodes)},
            {"image_bytes", image_bytes},
            {"stored_bytes", manifest.stored_bytes},
            {"frozen_us", frozen_us}};
}

class Commit {
public:
    Commit(const JobAt& job, const CommitSpec& spec)
        : m_job(job), m_spec(spec), m_incarnation(job.incarnation(spec.id.incarnation)),
          m_temp(temp_dir(job, spec.id)) {}

    Result<std::uint64_t> run() {
        CKPT_CHECK(sweep(m_job, m_spec.id.incarnation));
        auto stored = attempt();
        if (!stored) { // the error that matters is the first; sweep() tries again
            (void)m_job.volume.remove(m_temp);
            (void)sweep_packs(m_job, m_spec.id.incarnation);
        }
        return stored;
    }

    // Of the history, when run() has succeeded.
    [[nodiscard]] Json published() const { return m_published; }

private:
    // Nothing that other nodes write is swept from `ready` on until it is named.
    Result<std::uint64_t> attempt() {
        CKPT_CHECK(m_job.volume.make_dir(m_job.packs()));
        CKPT_CHECK(m_job.volume.make_dir(m_temp));
        const bool is_shared = !m_spec.elsewhere.parts.empty();
        Attempt shared;
        if (is_shared) {
            CKPT_TRY(shared, begin_attempt(m_job, m_spec.id));
            CKPT_CHECK(m_spec.elsewhere.ready());
        }
        Manifest manifest = about();
        CKPT_CHECK(seal_own(manifest));
        if (is_shared) {
            CKPT_CHECK(m_spec.elsewhere.wait());
            CKPT_TRY(const auto others, take_parts(m_job, shared, m_spec.elsewhere.parts));
            for (const SealedPart& part : others)
                add(manifest, part);
        }
        CKPT_TRY(const std::size_t manifest_size, write(manifest));
        CKPT_CHECK(publish());
        manifest.stored_bytes += manifest_size;
        m_published = about_generation(manifest);
        return manifest.stored_bytes;
    }

    [[nodiscard]] Manifest about() const {
        Manifest manifest;
        manifest.owner = m_spec.owner;
        manifest.id = m_spec.id;
        manifest.key_id = m_job.keys.sealing().id;
        manifest.taken_at = m_spec.taken_at;
        manifest.since = m_spec.since;
        manifest.cpus = m_spec.cpus;
        manifest.reason = m_spec.reason;
        manifest.tree_was_stopped = m_spec.tree_was_stopped;
        manifest.exited = m_spec.exited;
        manifest.step_dir = m_spec.step_dir;
        return manifest;
    }

    static void add(Manifest& manifest, const SealedPart& part) {
        manifest.parts.push_back(part.entry);
        manifest.stored_bytes += part.stored_bytes;
    }

    Status seal_own(Manifest& manifest) {
        CKPT_FAULT("commit.seal");
        CKPT_TRY(PartSealer sealer,
                 PartSealer::start(m_job, m_spec.id, m_job.keys.sealing(), m_spec.compression));
        for (const PartSource& source : m_spec.parts) {
            CKPT_TRY(const SealedPart part, sealer.seal(source));
            add(manifest, part);
        }
        return m_job.volume.sync(m_job.packs());
    }

    // Names whatever is in the generation, when all of that is durable.
    Result<std::size_t> write(Manifest& manifest) {
        CKPT_FAULT("commit.manifest");
        manifest.created_at = std::time(nullptr);
        std::string text = to_json(manifest);
        if (text.size() > k_manifest_max) // it could not be read again
            return fail(Code::store_unwritable,
                        std::format("what its {} parts consist of takes more than {} bytes to say",
                                    manifest.parts.size(), k_manifest_max));
        return write_sealed(m_job.volume, m_temp, k_manifest_name, std::move(text), m_job.keys.sealing());
    }

    // The moment the generation comes into being. The place is looked at again, right before.
    Status publish() {
        CKPT_CHECK(check_place(m_job, m_spec.id));
        CKPT_FAULT("commit.publish");
        const std::string name = m_job.generation(m_spec.id);
        CKPT_CHECK(m_job.volume.rename(m_temp, name));
        CKPT_FAULT_IN_TIME("commit.published");
        auto synced = m_job.volume.sync(m_incarnation);
        // Not durable is not there: the caller goes on as if it had never been.
        if (!synced) (void)m_job.volume.rename(name, m_temp);
        return synced;
    }

    const JobAt& m_job;
    const CommitSpec& m_spec;
    std::string m_incarnation;
    std::string m_temp;
    Json m_published;
};

// What a job has saved lies in its directory; another one of that name would hide it.
Status ready_job_dir(const JobAt& job, bool has_generations) {
    if (!has_generations) return make_job_dir(job);
    Status there = require_job_dir(job);
    if (there || there.error().code != Code::not_found) return there;
    return tl::unexpected(no_job_dir(job, "the job has saved checkpoints, and its directory is gone"));
}

Result<CommitDone> commit_to(const JobAt& job, const CommitSpec& spec) {
    CKPT_CHECK(ready_job_dir(job, spec.has_generations));
    CKPT_CHECK(check_place(job, spec.id));
    CKPT_CHECK(job.volume.make_dir(job.incarnation(spec.id.incarnation)));
    Commit attempt(job, spec);
    CKPT_TRY(const std::uint64_t stored, attempt.run());
    CommitDone done{stored, {}};
    if (const Status added = add_to_history(job, attempt.published()); !added)
        done.notes.push_back(one_line(store_error(added.error(), "cannot add to the job's history")));
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
