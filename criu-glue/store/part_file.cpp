// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/part_file.hpp"

#include <algorithm>
#include <format>
#include <set>
#include <string>
#include <tuple>

#include "store/json_fields.hpp"
#include "store/needs_json.hpp"
#include "store/part_json.hpp"
#include "store/sealed_file.hpp"

namespace ckpt::store {
namespace {

constexpr std::string_view k_kind = "part";

tl::unexpected<Error> bad(const std::string& name, const std::string& why) {
    return fail(Code::store_corrupt, name + ": " + why);
}

// `body` is verified: what does not fit has been sealed for another place.
Result<SealedPart> parse(const JobAt& job, const Attempt& attempt, const StepPart& wanted,
                         const std::string& name, const std::string& body) {
    const Json object = Json::parse(body, nullptr, false);
    Fields fields(object);
    const FileIdentity identity = take_identity(fields, k_format, k_kind);
    const GenerationId id{identity.incarnation, fields.u32("generation")};
    const std::string nonce = fields.text("attempt");
    SealedPart part;
    part.stored_bytes = fields.u64("stored_bytes");
    if (!fields.has("part") || !part_from_json(object["part"], part.entry)) fields.refuse();
    if (fields.has("needs") && !needs_from_json(object["needs"], part.entry.needs)) fields.refuse();
    if (!fields.ok()) return bad(name, "not a part of format 2");
    if (identity.owner != job.owner || id != attempt.id) return bad(name, "a part of another generation");
    if (nonce != attempt.nonce) return bad(name, "sealed for an earlier attempt at this generation");
    const StepPart of{part.entry.stand_in, part.entry.step_id, part.entry.task_id};
    if (of != wanted) return bad(name, "the part of another task");
    return part;
}

Result<SealedPart> read_part(const JobAt& job, const Attempt& attempt, const StepPart& wanted) {
    const std::string name = part_name(wanted.step_id, wanted.task_id);
    auto body = read_sealed(job.volume, temp_dir(job, attempt.id), name, k_manifest_max, job.keys);
    if (!body && body.error().code == Code::not_found) return bad(name, "is missing");
    if (!body) return tl::unexpected(body.error());
    return parse(job, attempt, wanted, name, *body);
}

} // namespace

Status write_part(const JobAt& job, const Attempt& attempt, const SealedPart& part) {
    const SealKey* key = job.keys.find(attempt.key_id);
    if (key == nullptr) return fail(Code::store_key, "this node does not have the key of the other parts");
    Json object = Json::object();
    put_identity(object, k_format, k_kind, job.owner, attempt.id.incarnation);
    object["generation"] = attempt.id.generation;
    object["attempt"] = attempt.nonce;
    object["stored_bytes"] = part.stored_bytes;
    object["part"] = part_to_json(part.entry);
    if (part.entry.needs.is_known()) object["needs"] = needs_to_json(part.entry.needs);
    CKPT_CHECK(write_sealed(job.volume, temp_dir(job, attempt.id),
                            part_name(part.entry.step_id, part.entry.task_id), dump_line(object), *key));
    return {};
}

Result<std::vector<SealedPart>> take_parts(const JobAt& job, const Attempt& attempt,
                                           std::vector<StepPart> wanted) {
    const std::string dir = temp_dir(job, attempt.id);
    // Looked at first: over NFS that also lets this node see what others have made in it.
    CKPT_TRY(const auto names, job.volume.list(dir));
    std::ranges::sort(wanted, {}, [](const StepPart& p) { return std::tuple(p.step_id, p.task_id); });
    std::set<std::string> expected;
    std::vector<SealedPart> parts;
    for (const StepPart& one : wanted) {
        CKPT_TRY(SealedPart part, read_part(job, attempt, one));
        parts.push_back(std::move(part));
        expected.insert(part_name(one.step_id, one.task_id));
    }
    for (const std::string& name : names)
        if (name.starts_with(k_part_prefix) && !expected.contains(name))
            return bad(name, "a part that does not belong to this generation");
    for (const std::string& name : names)
        if (expected.contains(name) || name == k_begun_name || name.starts_with(k_temp_prefix))
            CKPT_CHECK(job.volume.remove(std::format("{}/{}", dir, name)));
    return parts;
}

} // namespace ckpt::store
