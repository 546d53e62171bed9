// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/inspect.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "os/reader.hpp"
#include "store/history.hpp"
#include "store/json_fields.hpp"
#include "store/manifest.hpp"
#include "store/needs_json.hpp"
#include "store/records.hpp"

namespace ckpt::store {
namespace {

// The directory of a job, which is all that is known of generations that do not verify.
struct Place {
    std::string cluster;
    std::string job_dir;
    std::uint32_t job_id = 0;
};

struct Seen {
    GenerationId id;
    Result<Manifest> manifest;
};

// What lies in a job's directory.
struct Contents {
    std::vector<GenerationId> generations; // oldest first
    std::vector<std::uint32_t> claimed_by;
    std::vector<std::pair<std::uint32_t, Error>> unreadable; // incarnations
};

Result<Contents> contents_of(Volume& volume, const std::string& job_dir) {
    CKPT_TRY(const auto names, volume.list(job_dir));
    Contents found;
    for (const std::string& name : names) {
        const auto incarnation = incarnation_of(name);
        if (!incarnation) continue;
        const auto entries = volume.list(job_dir + "/" + name);
        if (!entries && entries.error().code != Code::not_found) // pruned meanwhile
            found.unreadable.emplace_back(*incarnation, entries.error());
        if (!entries) continue;
        for (const std::string& entry : *entries) {
            if (const auto generation = generation_of(entry))
                found.generations.push_back({*incarnation, *generation});
            if (const auto by = claimant_of(entry)) found.claimed_by.push_back(*by);
        }
    }
    std::ranges::sort(found.generations);
    return found;
}

Json describe(const PartEntry& part) {
    Json object = {{"step", part.step_id},
                   {"task", part.task_id},
                   {"node", part.node},
                   {"frozen_us", part.frozen_us},
                   {"image_bytes", part.image_bytes},
                   {"processes", part.processes},
                   {"criu_version", part.criu_version},
                   {"files", part.images.files}};
    if (part.needs.is_known()) object["needs"] = needs_to_json(part.needs);
    return object;
}

void describe(const Manifest& manifest, bool details, Json& line) {
    std::vector<std::string> nodes;
    std::uint64_t image_bytes = 0;
    std::uint64_t frozen_us = 0;
    std::uint64_t processes = 0;
    Json parts = Json::array();
    for (const PartEntry& part : manifest.parts) {
        if (std::ranges::find(nodes, part.node) == nodes.end()) nodes.push_back(part.node);
        image_bytes += part.image_bytes;
        frozen_us = std::max(frozen_us, part.frozen_us);
        processes += part.processes;
        parts.push_back(describe(part));
    }
    line["uid"] = manifest.owner.uid;
    line["uuid"] = manifest.owner.uuid;
    line["taken_at"] = manifest.taken_at;
    line["created_at"] = manifest.created_at;
    line["reason"] = manifest.reason;
    line["tree_was_stopped"] = manifest.tree_was_stopped;
    line["nodes"] = nodes;
    line["image_bytes"] = image_bytes;
    line["stored_bytes"] = manifest.stored_bytes;
    line["frozen_us"] = frozen_us;
    line["processes"] = processes;
    line["criu_version"] = manifest.parts.front().criu_version;
    if (details) line["parts"] = std::move(parts);
}

class Inspector {
public:
    Inspector(const Store& store, const InspectSpec& spec, int out)
        : m_store(store), m_volume(store.volume), m_spec(spec), m_out(out) {}

    Status all() {
        CKPT_TRY(const auto names, m_volume.list(""));
        for (const std::string& name : names)
            if (is_store_name(name)) CKPT_CHECK(cluster(name));
        // What a volume that does not answer any more has passed over is not known to be missing.
        return m_volume.list("").map([](const auto&) {});
    }

private:
    // Directories that are not there any more (pruned meanwhile) are passed over throughout.
    Status cluster(const std::string& name) {
        const auto names = m_volume.list(name);
        if (!names) return {};
        for (const std::string& entry : *names) {
            const auto job_id = job_id_of(entry);
            if (job_id && (m_spec.job_id == 0 || *job_id == m_spec.job_id))
                CKPT_CHECK(job({name, entry, *job_id}));
            if (m_spec.details && m_spec.job_id != 0 && m_spec.history_uid) CKPT_CHECK(history(name, entry));
        }
        return {};
    }

    [[nodiscard]] Status history(const std::string& cluster, const std::string& entry) const {
        const auto owner = owner_of_history(entry, cluster, *m_spec.history_uid);
        if (!owner || owner->job_id != m_spec.job_id) return {};
        auto events = read_history(m_store, *owner);
        if (!events) return {}; // of no consequence
        return write(
            {{"cluster", cluster}, {"job", owner->job_id}, {"uuid", owner->uuid}, {"history", *events}});
    }

    Status job(const Place& at) {
        const std::string dir = at.cluster + "/" + at.job_dir;
        const auto found = contents_of(m_volume, dir);
        if (!found && found.error().code == Code::not_found) return {}; // pruned meanwhile
        if (!found) return write(unreadable(at, found.error()));
        for (const auto& [incarnation, error] : found->unreadable) {
            Json line = unreadable(at, error);
            line["incarnation"] = incarnation;
            CKPT_CHECK(write(line));
        }
        for (const GenerationId id : found->generations) {
            Seen seen{id, tl::unexpected(Error{})};
            seen.manifest = verify_as_claimed(at, id);
            if (!seen.manifest && seen.manifest.error().code == Code::not_found) continue; // pruned meanwhile
            Json line = line_of(at, seen);
            if (!found->claimed_by.empty()) line["claimed_by"] = found->claimed_by;
            if (m_spec.verify && seen.manifest) CKPT_CHECK(verify_images_of(*seen.manifest, line));
            CKPT_CHECK(write(line));
        }
        return {};
    }

    [[nodiscard]] Status write(const Json& line) const {
        return write_to_reader(m_out, dump_line(line), m_spec.patience);
    }

    static Json unreadable(const Place& at, const Error& error) {
        return {{"cluster", at.cluster}, {"job", at.job_id}, {"verified", false}, {"problem", error.what}};
    }

    // The manifest names its owner, the keys are derived for that owner, and the seal tells whether it was
    // true.
    Result<Manifest> verify_as_claimed(const Place& at, GenerationId id) {
        const std::string dir = at.cluster + "/" + at.job_dir + "/" + incarnation_dir_name(id.incarnation) +
                                "/" + generation_dir_name(id.generation);
        const auto read = claimed_manifests(m_volume, dir);
        if (!read && read.error().code == Code::not_found) return missing_manifest(m_volume, dir);
        CKPT_TRY(const std::vector<Manifest> claims, read);
        Result<Manifest> last =
            fail(Code::store_corrupt, "the manifest is that of " + to_text(claims.front().id) + " of job " +
                                          std::to_string(claims.front().owner.job_id));
        for (const Manifest& claimed : claims) {
            if (claimed.owner.cluster != at.cluster || job_dir_name(claimed.owner) != at.job_dir) continue;
            if (m_spec.uid && claimed.owner.uid != *m_spec.uid) { // no word on what is in it
                last = fail(Code::store_corrupt, "the manifest is that of another user");
                continue;
            }
            CKPT_TRY(const JobAt job, job_at(m_store, claimed.owner));
            last = verified_manifest(job, id);
            if (last) break;
        }
        return last;
    }

    Status verify_images_of(const Manifest& manifest, Json& line) {
        CKPT_TRY(const JobAt job, job_at(m_store, manifest.owner));
        std::uint64_t healed = 0;
        for (const PartEntry& part : manifest.parts) {
            const ImagesPlace place{job.volume, job.dir,
                                    job.generation(manifest.id) + "/" +
                                        index_name(part.step_id, part.task_id),
                                    *job.keys.find(manifest.key_id)};
            const auto read = verify_images(place, part.images);
            if (!read) {
                line["verified"] = false;
                line["problem"] = read.error().what;
                return {};
            }
            healed += read->healed;
        }
        line["intact"] = true;
        line["healed_blocks"] = healed;
        return {};
    }

    [[nodiscard]] Json line_of(const Place& at, const Seen& seen) const {
        Json line = {{"cluster", at.cluster},
                     {"job", at.job_id},
                     {"incarnation", seen.id.incarnation},
                     {"generation", seen.id.generation},
                     {"verified", seen.manifest.has_value()}};
        if (seen.manifest)
            describe(*seen.manifest, m_spec.details, line);
        else
            line["problem"] = seen.manifest.error().what;
        return line;
    }

    const Store& m_store;
    Volume& m_volume;
    const InspectSpec& m_spec;
    int m_out;
};

} // namespace

Status inspect(const Store& store, const InspectSpec& spec, int out) {
    auto done = Inspector(store, spec, out).all();
    if (!done)
        done.error().what =
            "cannot list the generations in " + store.volume.name() + ": " + done.error().what;
    return done;
}

} // namespace ckpt::store
