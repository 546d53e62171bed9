// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/manifest.hpp"

#include <algorithm>
#include <set>

#include "store/needs_json.hpp"
#include "store/part_json.hpp"
#include "store/sealed_file.hpp"

namespace ckpt::store {
namespace {

// Nested deeper than any manifest. The parser could leave such values out, but takes time with the square of
// their number for that.
bool is_deep(std::string_view json) {
    constexpr int k_depth_max = 16; // manifest, parts, part, images, packs, pack; and what may come
    int depth = 0;
    bool in_text = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (c == '"')
            in_text = !in_text;
        else if (in_text)
            i += c == '\\' ? 1 : 0;
        else if (c == '[' || c == '{')
            ++depth;
        else if (c == ']' || c == '}')
            --depth;
        if (depth > k_depth_max) return true;
    }
    return false;
}

Json to_object(const ExitedTask& task) {
    return {{"stand_in", task.stand_in}, {"task", task.task_id}, {"wait_status", task.wait_status}};
}

bool read_exited(const Json& object, ExitedTask& task) {
    Fields fields(object);
    task.stand_in = fields.u64("stand_in");
    task.task_id = fields.u32("task");
    const std::int64_t status = fields.i64("wait_status");
    task.wait_status = static_cast<std::int32_t>(status);
    return fields.ok() && status == task.wait_status;
}

} // namespace

const PartEntry* Manifest::part_of(std::uint64_t stand_in, std::uint32_t task_id) const {
    const auto at = std::ranges::find_if(
        parts, [&](const PartEntry& part) { return part.stand_in == stand_in && part.task_id == task_id; });
    return at == parts.end() ? nullptr : &*at;
}

const PartEntry* Manifest::part(std::uint32_t step_id, std::uint32_t task_id) const {
    const auto at = std::ranges::find_if(
        parts, [&](const PartEntry& part) { return part.step_id == step_id && part.task_id == task_id; });
    return at == parts.end() ? nullptr : &*at;
}

Status check_tasks(const Manifest& manifest) {
    std::set<std::pair<std::uint32_t, std::uint32_t>> by_step;
    std::set<std::pair<std::uint64_t, std::uint32_t>> by_stand_in;
    for (const PartEntry& part : manifest.parts) {
        const bool is_new = by_step.insert({part.step_id, part.task_id}).second;
        if (!is_new || (part.stand_in != 0 && !by_stand_in.insert({part.stand_in, part.task_id}).second))
            return fail(Code::internal, "a generation with the same part twice");
    }
    for (const ExitedTask& task : manifest.exited)
        if (task.stand_in == 0 || !by_stand_in.insert({task.stand_in, task.task_id}).second)
            return fail(Code::internal, "a task that has ended twice, or that is not a step's");
    if (!manifest.step_dir.empty() && !is_store_name(manifest.step_dir))
        return fail(Code::internal, "the steps' directory has no plain name");
    return {};
}

std::string to_json(const Manifest& manifest) {
    Json object = Json::object();
    put_identity(object, k_format, "manifest", manifest.owner, manifest.id.incarnation);
    object["generation"] = manifest.id.generation;
    object["key"] = manifest.key_id;
    object["created_at"] = manifest.created_at;
    object["taken_at"] = manifest.taken_at;
    if (manifest.since != 0) object["since"] = manifest.since;
    if (manifest.cpus != 0) object["cpus"] = manifest.cpus;
    object["reason"] = manifest.reason;
    object["tree_was_stopped"] = manifest.tree_was_stopped;
    object["stored_bytes"] = manifest.stored_bytes;
    Json& parts = object["parts"] = Json::array();
    for (const PartEntry& part : manifest.parts)
        parts.push_back(part_to_json(part));
    put_needs(manifest.parts, object);
    if (!manifest.step_dir.empty()) object["step_dir"] = manifest.step_dir;
    if (!manifest.exited.empty()) {
        Json& exited = object["exited"] = Json::array();
        for (const ExitedTask& task : manifest.exited)
            exited.push_back(to_object(task));
    }
    return dump_line(object);
}

Result<Manifest> parse_manifest(std::string_view json) {
    if (json.size() > k_manifest_max || is_deep(json))
        return fail(Code::store_corrupt, "too long, or nested too deep, for a manifest");
    const Json object = Json::parse(json, nullptr, false);
    Fields fields(object);
    Manifest manifest;
    const FileIdentity identity = take_identity(fields, k_format, "manifest");
    manifest.owner = identity.owner;
    manifest.id = {identity.incarnation, fields.u32("generation")};
    manifest.key_id = fields.text("key");
    manifest.created_at = fields.i64("created_at");
    manifest.taken_at = fields.i64("taken_at");
    if (fields.has("since")) manifest.since = fields.i64("since");
    if (fields.has("cpus")) manifest.cpus = fields.u32("cpus");
    manifest.reason = fields.text("reason");
    manifest.tree_was_stopped = fields.boolean("tree_was_stopped");
    manifest.stored_bytes = fields.u64("stored_bytes");
    for (const Json& item : fields.list("parts")) {
        PartEntry part;
        if (!fields.ok()) break; // nonsense must not grow on the way
        if (!part_from_json(item, part)) fields.refuse();
        manifest.parts.push_back(std::move(part));
    }
    if (fields.ok() && !take_needs(object, manifest.parts)) fields.refuse();
    if (fields.has("step_dir")) manifest.step_dir = fields.text("step_dir");
    if (fields.has("exited")) {
        for (const Json& item : fields.list("exited")) {
            ExitedTask task;
            if (!fields.ok()) break;
            if (!read_exited(item, task)) fields.refuse();
            manifest.exited.push_back(task);
        }
    }
    if (!fields.ok() || manifest.parts.empty() || !check_owner(manifest.owner) || !check_tasks(manifest))
        return fail(Code::store_corrupt, "not a manifest of format 2");
    return manifest;
}

tl::unexpected<Error> missing_manifest(Volume& volume, const std::string& generation_dir) {
    const auto there = volume.list(generation_dir);
    return there ? fail(Code::store_corrupt, "the manifest is missing") : tl::unexpected(there.error());
}

Result<Manifest> verified_manifest(const JobAt& job, GenerationId id) {
    const std::string dir = job.generation(id);
    CKPT_CHECK(job.volume.list(dir).map([](const auto&) {}));
    auto body = read_sealed(job.volume, dir, k_manifest_name, k_manifest_max, job.keys);
    if (!body && body.error().code == Code::not_found) return missing_manifest(job.volume, dir);
    if (!body) return tl::unexpected(body.error());
    CKPT_TRY(Manifest manifest, parse_manifest(*body));
    // The key binds the job; a generation of the same job copied to another place is caught here.
    if (manifest.owner != job.owner || manifest.id != id)
        return fail(Code::store_corrupt, "the manifest is that of " + to_text(manifest.id));
    if (job.keys.find(manifest.key_id) == nullptr)
        return fail(Code::store_corrupt, "the manifest names no key of this node's");
    return manifest;
}

Result<std::vector<Manifest>> claimed_manifests(Volume& volume, const std::string& generation_dir) {
    CKPT_TRY(const std::string bytes,
             volume.read(generation_dir + "/" + std::string(k_manifest_name), 2 * k_manifest_max));
    const std::string_view all = bytes;
    std::vector<Manifest> claims;
    const std::string_view first = all.substr(0, all.find('\n'));
    std::string_view second = all.substr(all.size() / 2);
    second = second.substr(0, second.find('\n'));
    if (auto manifest = parse_manifest(first)) claims.push_back(std::move(*manifest));
    if (second != first)
        if (auto manifest = parse_manifest(second)) claims.push_back(std::move(*manifest));
    if (claims.empty()) return fail(Code::store_corrupt, "not a manifest of format 2");
    return claims;
}

} // namespace ckpt::store
