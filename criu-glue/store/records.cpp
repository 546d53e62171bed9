// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/records.hpp"

#include <unistd.h>

#include <cerrno>

#include "os/files.hpp"
#include "store/json_fields.hpp"
#include "store/manifest.hpp"
#include "store/sealed_file.hpp"

namespace ckpt::store {
namespace {

constexpr std::size_t k_record_max = 4096;
constexpr std::string_view k_out_of_memory = "out-of-memory";
constexpr std::string_view k_fault = "fault";

// Reads the record `name`; `take` fills the value from the members behind the identity.
template <typename T, typename Take>
Record<T> read_record(int dir, std::string_view name, const Owner& owner, std::uint32_t incarnation,
                      const SealKey& key, Take take) {
    Record<T> record;
    const auto body = read_sealed(dir, name, k_record_max, key);
    if (!body) {
        if (body.error().code == Code::not_found) return record;
        record.state = RecordState::damaged;
        record.why = body.error().what;
        return record;
    }
    const Json object = Json::parse(*body, nullptr, false);
    Fields fields(object);
    const FileIdentity identity = take_identity(fields, k_format, name);
    take(fields, record.value);
    const bool ours = identity.owner == owner && identity.incarnation == incarnation;
    record.state = fields.ok() && ours ? RecordState::valid : RecordState::damaged;
    if (record.state == RecordState::damaged)
        record.why =
            std::string(name) + (fields.ok() ? ": a record of another place" : ": not a record of format 1");
    return record;
}

} // namespace

Record<Adopted> read_adopted(int dir, const Owner& owner, std::uint32_t incarnation, const SealKey& key) {
    return read_record<Adopted>(
        dir, k_adopted_name, owner, incarnation, key, [](Fields& fields, Adopted& value) {
            if (fields.boolean("from_generation"))
                value.from = GenerationId{fields.u32("from_incarnation"), fields.u32("generation")};
        });
}

Status write_adopted(int dir, const Owner& owner, std::uint32_t incarnation, const Adopted& adopted,
                     const SealKey& key) {
    Json object = Json::object();
    put_identity(object, k_format, k_adopted_name, owner, incarnation);
    object["from_generation"] = adopted.from.has_value();
    if (adopted.from) {
        object["from_incarnation"] = adopted.from->incarnation;
        object["generation"] = adopted.from->generation;
    }
    CKPT_CHECK(write_sealed(dir, k_adopted_name, dump_line(object), key));
    return {};
}

Status remove_adopted(int dir) {
    if (::unlinkat(dir, std::string(k_adopted_name).c_str(), 0) != 0 && errno != ENOENT)
        return fail_errno(Code::os, "remove the record of the adoption");
    return sync_fd(dir, "the incarnation's directory");
}

Record<Completed> read_completed(int dir, const Owner& owner, std::uint32_t incarnation, const SealKey& key) {
    return read_record<Completed>(
        dir, k_completed_name, owner, incarnation, key, [](Fields& fields, Completed& value) {
            value.wait_status = static_cast<std::int32_t>(fields.i64("wait_status"));
            value.at = fields.i64("at");
            value.will_be_requeued = fields.boolean("will_be_requeued");
            value.newest_generation = fields.u32("newest_generation");
        });
}

Status write_completed(int dir, const Owner& owner, std::uint32_t incarnation, const Completed& completed,
                       const SealKey& key) {
    Json object = Json::object();
    put_identity(object, k_format, k_completed_name, owner, incarnation);
    object["wait_status"] = completed.wait_status;
    object["at"] = completed.at;
    object["will_be_requeued"] = completed.will_be_requeued;
    object["newest_generation"] = completed.newest_generation;
    CKPT_CHECK(write_sealed(dir, k_completed_name, dump_line(object), key));
    return {};
}

Record<Failed> read_failed(int dir, const Owner& owner, std::uint32_t incarnation, const SealKey& key) {
    return read_record<Failed>(
        dir, k_failed_name, owner, incarnation, key, [](Fields& fields, Failed& value) {
            const std::string how = fields.text("how");
            if (how != k_out_of_memory && how != k_fault) fields.refuse();
            value.how = how == k_fault ? Failed::How::fault : Failed::How::out_of_memory;
            value.wait_status = static_cast<std::int32_t>(fields.i64("wait_status"));
            value.at = fields.i64("at");
            value.memory_limit = fields.u64("memory_limit");
            value.signal = fields.u32("signal");
        });
}

Status write_failed(int dir, const Owner& owner, std::uint32_t incarnation, const Failed& failed,
                    const SealKey& key) {
    Json object = Json::object();
    put_identity(object, k_format, k_failed_name, owner, incarnation);
    object["how"] = failed.how == Failed::How::fault ? k_fault : k_out_of_memory;
    object["wait_status"] = failed.wait_status;
    object["at"] = failed.at;
    object["memory_limit"] = failed.memory_limit;
    object["signal"] = failed.signal;
    CKPT_CHECK(write_sealed(dir, k_failed_name, dump_line(object), key));
    return {};
}

Record<Stopped> read_stopped(int dir, const Owner& owner, std::uint32_t incarnation, const SealKey& key) {
    return read_record<Stopped>(dir, k_stopped_name, owner, incarnation, key,
                                [](Fields& fields, Stopped& value) {
                                    value.generation = fields.u32("generation");
                                    value.at = fields.i64("at");
                                });
}

Status write_stopped(int dir, const Owner& owner, std::uint32_t incarnation, const Stopped& stopped,
                     const SealKey& key) {
    Json object = Json::object();
    put_identity(object, k_format, k_stopped_name, owner, incarnation);
    object["generation"] = stopped.generation;
    object["at"] = stopped.at;
    CKPT_CHECK(write_sealed(dir, k_stopped_name, dump_line(object), key));
    return {};
}

} // namespace ckpt::store
