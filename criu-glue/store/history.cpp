// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/history.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "store/manifest.hpp"
#include "store/sealed_file.hpp"

namespace ckpt::store {
namespace {

constexpr std::string_view k_prefix = "history-";
constexpr std::string_view k_kind = "history";
constexpr std::size_t k_history_max = std::size_t{128} << 10U; // some six hundred events
constexpr std::int64_t k_leftover_s = 3600;                    // nobody takes that long to write one

bool is_hex(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Json empty_history(const Owner& owner) {
    Json object = Json::object();
    put_identity(object, k_format, k_kind, owner, 0);
    object["left_out"] = 0U;
    object["events"] = Json::array();
    return object;
}

Result<Json> read_object(const JobAt& job) {
    const std::string name = history_name(job.owner);
    CKPT_TRY(const std::string body,
             read_sealed(job.volume, job.owner.cluster, name, k_history_max, job.keys));
    Json object = Json::parse(body, nullptr, false);
    Fields fields(object);
    const FileIdentity identity = take_identity(fields, k_format, k_kind);
    (void)fields.u64("left_out");
    (void)fields.list("events");
    if (!fields.ok() || identity.owner != job.owner)
        return fail(Code::store_corrupt, name + ": not a history of format 2");
    return object;
}

// False when none is left that could go.
bool drop_oldest_generation(Json& object) {
    Json& events = object["events"];
    const auto oldest = std::ranges::find_if(events, [](const Json& event) {
        const auto kind = event.find("event");
        return kind != event.end() && *kind == "generation";
    });
    if (oldest == events.end()) return false;
    events.erase(oldest);
    object["left_out"] = object["left_out"].get<std::uint64_t>() + 1;
    return true;
}

Status sweep_cluster(Volume& volume, const std::string& cluster, std::int64_t age, std::int64_t now) {
    CKPT_TRY(const auto names, volume.list(cluster));
    for (const std::string& name : names) {
        const bool is_leftover = name.starts_with(k_temp_prefix) && name.find(k_prefix) != std::string::npos;
        if (!is_leftover && !owner_of_history(name, cluster, 0)) continue;
        const std::string path = cluster + "/" + name;
        const auto usage = volume.usage(path);
        if (usage && now - usage->newest >= (is_leftover ? k_leftover_s : age))
            CKPT_CHECK(volume.remove(path));
    }
    return {};
}

} // namespace

std::string history_name(const Owner& owner) {
    return std::string(k_prefix) + std::to_string(owner.job_id) + "-" + owner.uuid;
}

std::optional<Owner> owner_of_history(std::string_view name, const std::string& cluster, std::uint32_t uid) {
    if (!name.starts_with(k_prefix)) return std::nullopt;
    name.remove_prefix(k_prefix.size());
    const std::size_t dash = name.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const std::string_view uuid = name.substr(dash + 1);
    const auto job_id = job_id_of(std::string(name.substr(0, dash + 1)) + std::string(uuid.substr(0, 8)));
    Owner owner{cluster, uid, job_id.value_or(0), std::string(uuid)};
    return job_id && uuid.size() == 32 && is_hex(uuid) && check_owner(owner) ? std::optional(std::move(owner))
                                                                             : std::nullopt;
}

Status add_to_history(const JobAt& job, Json event) {
    auto read = read_object(job);
    if (!read && read.error().code != Code::not_found && read.error().code != Code::store_corrupt)
        return tl::unexpected(read.error());
    Json object = read ? *std::move(read) : empty_history(job.owner);
    object["events"].push_back(std::move(event));
    std::string text = dump_line(object);
    while (text.size() > k_history_max && drop_oldest_generation(object))
        text = dump_line(object);
    if (text.size() > k_history_max) text = dump_line(empty_history(job.owner));
    return write_sealed(job.volume, job.owner.cluster, history_name(job.owner), std::move(text),
                        job.keys.sealing())
        .map([](std::size_t) {});
}

Result<Json> read_history(const Store& store, const Owner& owner) {
    CKPT_TRY(const JobAt job, job_at(store, owner));
    CKPT_TRY(const Json object, read_object(job));
    return object["events"];
}

Status sweep_histories(Volume& volume, std::int64_t age, std::int64_t now) {
    CKPT_TRY(const auto clusters, volume.list(""));
    for (const std::string& cluster : clusters)
        if (is_store_name(cluster)) CKPT_CHECK(sweep_cluster(volume, cluster, age, now));
    return {};
}

} // namespace ckpt::store
