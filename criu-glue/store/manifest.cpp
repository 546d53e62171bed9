// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/manifest.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "store/hex.hpp"
#include "store/json_fields.hpp"

namespace ckpt::store {
namespace {

Json to_object(const PartEntry& part) {
    Json files = Json::array();
    for (const FileEntry& file : part.files)
        files.push_back({{"name", file.name}, {"size", file.size}, {"sha256", file.sha256}});
    return {{"step", part.step_id},
            {"task", part.task_id},
            {"node", part.node},
            {"frozen_us", part.frozen_us},
            {"image_bytes", part.image_bytes},
            {"processes", part.processes},
            {"criu_version", part.criu_version},
            {"files", std::move(files)}};
}

bool read_file_entry(const Json& object, FileEntry& file) {
    Fields fields(object);
    file.name = fields.text("name");
    file.size = fields.u64("size");
    file.sha256 = fields.text("sha256");
    return fields.ok() && is_store_name(file.name) && file.sha256.size() == 64 &&
           std::ranges::all_of(file.sha256, [](char c) { return hex_value(c) >= 0; });
}

bool read_part(const Json& object, PartEntry& part) {
    Fields fields(object);
    part.step_id = fields.u32("step");
    part.task_id = fields.u32("task");
    part.node = fields.text("node");
    part.frozen_us = fields.u64("frozen_us");
    part.image_bytes = fields.u64("image_bytes");
    part.processes = fields.u32("processes");
    part.criu_version = fields.text("criu_version");
    std::set<std::string_view> names;
    const Json& files = fields.list("files");
    part.files.reserve(files.size());
    for (const Json& file : files) {
        part.files.emplace_back();
        if (!read_file_entry(file, part.files.back())) return false;
    }
    // After the vector has its final size: the views point into it.
    for (const FileEntry& file : part.files)
        if (!names.insert(file.name).second) return false;
    return fields.ok();
}

} // namespace

const PartEntry* Manifest::part(std::uint32_t step_id, std::uint32_t task_id) const {
    const auto at = std::ranges::find_if(
        parts, [&](const PartEntry& part) { return part.step_id == step_id && part.task_id == task_id; });
    return at == parts.end() ? nullptr : &*at;
}

std::string to_json(const Manifest& manifest) {
    Json object = Json::object();
    put_identity(object, k_format, "manifest", manifest.owner, manifest.id.incarnation);
    object["generation"] = manifest.id.generation;
    object["key"] = manifest.key_id;
    object["created_at"] = manifest.created_at;
    object["taken_at"] = manifest.taken_at;
    object["reason"] = manifest.reason;
    object["tree_was_stopped"] = manifest.tree_was_stopped;
    object["stored_bytes"] = manifest.stored_bytes;
    Json& parts = object["parts"] = Json::array();
    for (const PartEntry& part : manifest.parts)
        parts.push_back(to_object(part));
    return dump_line(object);
}

Result<Manifest> parse_manifest(std::string_view json) {
    const Json object = Json::parse(json, nullptr, false);
    Fields fields(object);
    Manifest manifest;
    const FileIdentity identity = take_identity(fields, k_format, "manifest");
    manifest.owner = identity.owner;
    manifest.id = {identity.incarnation, fields.u32("generation")};
    manifest.key_id = fields.text("key");
    manifest.created_at = fields.i64("created_at");
    manifest.taken_at = fields.i64("taken_at");
    manifest.reason = fields.text("reason");
    manifest.tree_was_stopped = fields.boolean("tree_was_stopped");
    manifest.stored_bytes = fields.u64("stored_bytes");
    std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
    for (const Json& item : fields.list("parts")) {
        PartEntry part;
        if (!read_part(item, part) || !seen.insert({part.step_id, part.task_id}).second) fields.refuse();
        manifest.parts.push_back(std::move(part));
    }
    if (!fields.ok() || manifest.parts.empty() || !check_owner(manifest.owner))
        return fail(Code::store_corrupt, "not a manifest of format 1");
    return manifest;
}

} // namespace ckpt::store
