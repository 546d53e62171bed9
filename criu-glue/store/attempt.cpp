// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/attempt.hpp"

#include <format>

#include "store/block_cipher.hpp"
#include "store/choice.hpp"
#include "store/json_fields.hpp"
#include "store/manifest.hpp"
#include "store/scan.hpp"
#include "store/sealed_file.hpp"

namespace ckpt::store {
namespace {

constexpr std::size_t k_begun_max = 4096;

} // namespace

std::string temp_dir(const JobAt& job, GenerationId id) {
    return job.incarnation(id.incarnation) + "/" + std::string(k_temp_prefix) +
           generation_dir_name(id.generation);
}

Status check_number(GenerationId id) {
    if (id.generation > 0 && id.generation <= k_generation_max) return {};
    return fail(Code::internal,
                std::format("generation {} is not a number from 1 to {}", id.generation, k_generation_max));
}

Status check_place(const JobAt& job, GenerationId id) {
    CKPT_TRY(const JobState state, scan(job));
    if (const auto successor = successor_of(state, id.incarnation))
        return fail(Code::not_permitted, std::format("incarnation {} of the job has taken over", *successor));
    const IncarnationState* own = state.incarnation(id.incarnation);
    if (own == nullptr) return {};
    if (own->completed.state != RecordState::absent)
        return fail(Code::not_permitted, "the job has ended in this incarnation");
    if (!own->generations.empty() && own->generations.front() >= id.generation)
        return fail(Code::internal, std::format("generation {} exists already", own->generations.front()));
    return {};
}

Result<Attempt> begin_attempt(const JobAt& job, GenerationId id) {
    Attempt attempt{id, job.keys.sealing().id, {}};
    CKPT_TRY(attempt.nonce, new_file_id());
    Json object = Json::object();
    put_identity(object, k_format, k_begun_name, job.owner, id.incarnation);
    object["generation"] = id.generation;
    object["key"] = attempt.key_id;
    object["attempt"] = attempt.nonce;
    CKPT_CHECK(
        write_sealed(job.volume, temp_dir(job, id), k_begun_name, dump_line(object), job.keys.sealing()));
    return attempt;
}

Result<Attempt> read_attempt(const JobAt& job, GenerationId id) {
    CKPT_TRY(const std::string body,
             read_sealed(job.volume, temp_dir(job, id), k_begun_name, k_begun_max, job.keys));
    const Json object = Json::parse(body, nullptr, false);
    Fields fields(object);
    const FileIdentity identity = take_identity(fields, k_format, k_begun_name);
    const GenerationId of{identity.incarnation, fields.u32("generation")};
    Attempt attempt{of, fields.text("key"), fields.text("attempt")};
    if (!fields.ok()) return fail(Code::store_corrupt, "begun: not a record of format 2");
    if (identity.owner != job.owner || of != id)
        return fail(Code::store_corrupt, "begun: a record of another generation");
    return attempt;
}

} // namespace ckpt::store
