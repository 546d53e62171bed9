// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/records.hpp"

#include <charconv>

#include "store/damage.hpp"
#include "store/json_fields.hpp"
#include "store/manifest.hpp"
#include "store/sealed_file.hpp"

namespace ckpt::store {
namespace {

constexpr std::size_t k_record_max = 4096;
constexpr std::string_view k_out_of_memory = "out-of-memory";
constexpr std::string_view k_fault = "fault";

// Reads the record `kind` from the file `name`; `take` fills the value from the members behind the identity.
template <typename T, typename Take>
Record<T> read_record(const JobAt& job, std::string_view kind, std::string_view name,
                      std::uint32_t incarnation, Take take) {
    Record<T> record;
    const auto body = read_sealed(job.volume, job.incarnation(incarnation), name, k_record_max, job.keys);
    if (!body) {
        if (body.error().code == Code::not_found) return record;
        record.state = RecordState::damaged;
        record.why = body.error().what;
        if (!is_damage(body.error())) record.unread = body.error();
        return record;
    }
    const Json object = Json::parse(*body, nullptr, false);
    Fields fields(object);
    const FileIdentity identity = take_identity(fields, k_format, kind);
    take(fields, record.value);
    const bool ours = identity.owner == job.owner && identity.incarnation == incarnation;
    record.state = fields.ok() && ours ? RecordState::valid : RecordState::damaged;
    if (record.state == RecordState::damaged)
        record.why =
            std::string(name) + (fields.ok() ? ": a record of another place" : ": not a record of format 2");
    return record;
}
template <typename T, typename Take>
Record<T> read_record(const JobAt& job, std::string_view kind, std::uint32_t incarnation, Take take) {
    return read_record<T>(job, kind, kind, incarnation, take);
}

std::string claim_name(std::uint32_t by_job) {
    return std::string(k_claimed_name) + "-" + std::to_string(by_job);
}

Status write_record(const JobAt& job, std::uint32_t incarnation, std::string_view name, const Json& object) {
    CKPT_CHECK(
        write_sealed(job.volume, job.incarnation(incarnation), name, dump_line(object), job.keys.sealing()));
    return {};
}

} // namespace

Record<Adopted> read_adopted(const JobAt& job, std::uint32_t incarnation) {
    return read_record<Adopted>(job, k_adopted_name, incarnation, [](Fields& fields, Adopted& value) {
        if (fields.boolean("from_generation"))
            value.from = GenerationId{fields.u32("from_incarnation"), fields.u32("generation")};
        if (fields.has("from_job")) value.of = OtherJob{fields.u32("from_job"), fields.text("from_uuid")};
        if (value.of && !value.from) fields.refuse();
    });
}

Status write_adopted(const JobAt& job, std::uint32_t incarnation, const Adopted& adopted) {
    Json object = Json::object();
    put_identity(object, k_format, k_adopted_name, job.owner, incarnation);
    object["from_generation"] = adopted.from.has_value();
    if (adopted.from) {
        object["from_incarnation"] = adopted.from->incarnation;
        object["generation"] = adopted.from->generation;
    }
    if (adopted.of) {
        object["from_job"] = adopted.of->job_id;
        object["from_uuid"] = adopted.of->uuid;
    }
    return write_record(job, incarnation, k_adopted_name, object);
}

Status remove_adopted(const JobAt& job, std::uint32_t incarnation) {
    const std::string dir = job.incarnation(incarnation);
    CKPT_CHECK(job.volume.remove(dir + "/" + std::string(k_adopted_name)));
    return job.volume.sync(dir);
}

Record<Completed> read_completed(const JobAt& job, std::uint32_t incarnation) {
    return read_record<Completed>(job, k_completed_name, incarnation, [](Fields& fields, Completed& value) {
        value.wait_status = static_cast<std::int32_t>(fields.i64("wait_status"));
        value.at = fields.i64("at");
        value.will_be_requeued = fields.boolean("will_be_requeued");
        value.newest_generation = fields.u32("newest_generation");
    });
}

Status write_completed(const JobAt& job, std::uint32_t incarnation, const Completed& completed) {
    Json object = Json::object();
    put_identity(object, k_format, k_completed_name, job.owner, incarnation);
    object["wait_status"] = completed.wait_status;
    object["at"] = completed.at;
    object["will_be_requeued"] = completed.will_be_requeued;
    object["newest_generation"] = completed.newest_generation;
    return write_record(job, incarnation, k_completed_name, object);
}

Record<Failed> read_failed(const JobAt& job, std::uint32_t incarnation) {
    return read_record<Failed>(job, k_failed_name, incarnation, [](Fields& fields, Failed& value) {
        const std::string how = fields.text("how");
        if (how != k_out_of_memory && how != k_fault) fields.refuse();
        value.how = how == k_fault ? Failed::How::fault : Failed::How::out_of_memory;
        value.wait_status = static_cast<std::int32_t>(fields.i64("wait_status"));
        value.at = fields.i64("at");
        value.memory_limit = fields.u64("memory_limit");
        value.signal = fields.u32("signal");
    });
}

Status write_failed(const JobAt& job, std::uint32_t incarnation, const Failed& failed) {
    Json object = Json::object();
    put_identity(object, k_format, k_failed_name, job.owner, incarnation);
    object["how"] = failed.how == Failed::How::fault ? k_fault : k_out_of_memory;
    object["wait_status"] = failed.wait_status;
    object["at"] = failed.at;
    object["memory_limit"] = failed.memory_limit;
    object["signal"] = failed.signal;
    return write_record(job, incarnation, k_failed_name, object);
}

Record<Stopped> read_stopped(const JobAt& job, std::uint32_t incarnation) {
    return read_record<Stopped>(job, k_stopped_name, incarnation, [](Fields& fields, Stopped& value) {
        value.generation = fields.u32("generation");
        value.at = fields.i64("at");
    });
}

Status write_stopped(const JobAt& job, std::uint32_t incarnation, const Stopped& stopped) {
    Json object = Json::object();
    put_identity(object, k_format, k_stopped_name, job.owner, incarnation);
    object["generation"] = stopped.generation;
    object["at"] = stopped.at;
    return write_record(job, incarnation, k_stopped_name, object);
}

std::optional<std::uint32_t> claimant_of(std::string_view file_name) {
    const std::string prefix = std::string(k_claimed_name) + "-";
    if (!file_name.starts_with(prefix)) return std::nullopt;
    const std::string_view digits = file_name.substr(prefix.size());
    std::uint32_t job = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), job);
    if (error != std::errc() || claim_name(job) != file_name) return std::nullopt;
    return job;
}

Record<Claimed> read_claimed(const JobAt& job, std::uint32_t incarnation, std::uint32_t by_job) {
    return read_record<Claimed>(job, k_claimed_name, claim_name(by_job), incarnation,
                                [by_job](Fields& fields, Claimed& value) {
                                    value.by_job = fields.u32("by_job");
                                    value.at = fields.i64("at");
                                    if (value.by_job != by_job) fields.refuse();
                                });
}

Status write_claimed(const JobAt& job, std::uint32_t incarnation, const Claimed& claimed) {
    Json object = Json::object();
    put_identity(object, k_format, k_claimed_name, job.owner, incarnation);
    object["by_job"] = claimed.by_job;
    object["at"] = claimed.at;
    return write_record(job, incarnation, claim_name(claimed.by_job), object);
}

Status remove_claimed(const JobAt& job, std::uint32_t incarnation, std::uint32_t by_job) {
    const std::string dir = job.incarnation(incarnation);
    CKPT_CHECK(job.volume.remove(dir + "/" + claim_name(by_job)));
    return job.volume.sync(dir);
}

} // namespace ckpt::store
