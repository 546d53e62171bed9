// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/inspect.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "os/files.hpp"
#include "os/safe_path.hpp"
#include "store/generation.hpp"
#include "store/json_fields.hpp"
#include "store/sealed_file.hpp"

namespace ckpt::store {
namespace {

// "4711-0a1b2c3d" → 4711
std::optional<std::uint32_t> job_of(std::string_view name) {
    std::uint32_t job = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), job);
    const std::string_view rest(end, static_cast<std::size_t>(name.data() + name.size() - end));
    if (error != std::errc() || rest.size() != 9 || rest.front() != '-') return std::nullopt;
    return job;
}

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

// Every generation of the job, oldest first. What cannot be read is passed over.
Result<std::vector<GenerationId>> generations_in(int job) {
    CKPT_TRY(const auto names, list_dir(job));
    std::vector<GenerationId> ids;
    for (const std::string& name : names) {
        const auto incarnation = incarnation_of(name);
        if (!incarnation) continue;
        const auto dir = open_dir(job, name);
        const auto entries = dir ? list_dir(dir->get()) : tl::unexpected(dir.error());
        if (!entries) continue;
        for (const std::string& entry : *entries)
            if (const auto generation = generation_of(entry)) ids.push_back({*incarnation, *generation});
    }
    std::ranges::sort(ids);
    return ids;
}

// The manifest names its owner, the key is derived for that owner, and the seal tells whether it was true.
Result<Manifest> verify_as_claimed(int generation, const ClusterKey& key, const Place& at, GenerationId id) {
    CKPT_TRY(const std::string text, read_small_file(generation, k_manifest_name, k_manifest_max));
    const std::size_t last_line = text.find('\n');
    CKPT_TRY(Manifest claimed, parse_manifest(std::string_view(text).substr(0, last_line)));
    CKPT_TRY(const SealKey seal_key, derive_seal_key(key, claimed.owner));
    CKPT_TRY([[maybe_unused]] const std::string_view body, unseal(text, seal_key));
    if (claimed.owner.cluster != at.cluster || job_dir_name(claimed.owner) != at.job_dir || claimed.id != id)
        return fail(Code::store_corrupt, "the manifest is that of " + to_text(claimed.id) + " of job " +
                                             std::to_string(claimed.owner.job_id));
    return claimed;
}

Json describe(const PartEntry& part) {
    return {{"step", part.step_id},
            {"task", part.task_id},
            {"node", part.node},
            {"frozen_us", part.frozen_us},
            {"image_bytes", part.image_bytes},
            {"processes", part.processes},
            {"criu_version", part.criu_version},
            {"files", part.files.size()}};
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
    Inspector(const ClusterKey& key, const InspectSpec& spec, int out)
        : m_key(key), m_spec(spec), m_out(out) {}

    Status base(int base) {
        CKPT_TRY(const auto names, list_dir(base));
        for (const std::string& name : names) {
            if (!is_store_name(name)) continue;
            if (const auto dir = open_dir(base, name)) CKPT_CHECK(cluster(dir->get(), name));
        }
        return {};
    }

private:
    // Directories that cannot be opened (pruned meanwhile, or no directories) are passed over throughout.
    Status cluster(int dir, const std::string& name) {
        CKPT_TRY(const auto names, list_dir(dir));
        for (const std::string& entry : names) {
            const auto job_id = job_of(entry);
            if (!job_id || (m_spec.job_id != 0 && *job_id != m_spec.job_id)) continue;
            if (const auto job_dir = open_dir(dir, entry))
                CKPT_CHECK(job(job_dir->get(), {name, entry, *job_id}));
        }
        return {};
    }

    Status job(int dir, const Place& at) {
        CKPT_TRY(const std::vector<GenerationId> ids, generations_in(dir));
        std::vector<Seen> all;
        std::optional<std::uint32_t> uid; // of what verifies, and so of the rest
        for (const GenerationId id : ids) {
            const auto generation = open_generation(dir, id);
            if (!generation && generation.error().code == Code::not_found) continue; // pruned meanwhile
            all.push_back({id, generation ? verify_as_claimed(generation->get(), m_key, at, id)
                                          : tl::unexpected(generation.error())});
            if (all.back().manifest) uid = all.back().manifest->owner.uid;
        }
        if (m_spec.uid != 0 && uid != m_spec.uid) return {};
        for (const Seen& seen : all)
            CKPT_CHECK(write_all(m_out, dump_line(line_of(at, seen))));
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

    const ClusterKey& m_key;
    const InspectSpec& m_spec;
    int m_out;
};

} // namespace

Status inspect(const Base& base, const ClusterKey& key, const InspectSpec& spec, int out) {
    auto done = Inspector(key, spec, out).base(base.fd);
    if (!done) done.error().what = "cannot list the generations in " + base.path + ": " + done.error().what;
    return done;
}

} // namespace ckpt::store
