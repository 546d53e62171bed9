// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/undo_record.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "engine/whole_numbers.hpp"

namespace ckpt {

namespace {

using Json = nlohmann::json;

constexpr int k_version = 1;
constexpr std::int64_t k_skew_ns = 60'000'000'000; // of a file server's clock
constexpr std::array<std::string_view, 5> k_placements = {"leave", "create", "replace", "rewrite", "remove"};

Json entry_json(const UndoEntry& entry) {
    return {{"name", escape_bytes(entry.name)},
            {"placement", k_placements.at(static_cast<std::size_t>(entry.placement))},
            {"helper", escape_bytes(entry.helper)},
            {"was", to_text(entry.was)},
            {"inode", entry.inode},
            {"size", entry.size},
            {"mtime_ns", entry.mtime_ns},
            {"keeps", entry.keeps}};
}

UndoEntry entry_of(const Json& in) {
    UndoEntry entry;
    entry.name = unescape_bytes(in.at("name").get<std::string>());
    const auto* const placement = std::ranges::find(k_placements, in.at("placement").get<std::string>());
    if (placement == k_placements.end()) throw Json::other_error::create(501, "an unknown placement", &in);
    entry.placement = static_cast<Placement>(placement - k_placements.begin());
    entry.helper = unescape_bytes(in.at("helper").get<std::string>());
    entry.was = rewrite_from_text(in.at("was").get<std::string>());
    in.at("inode").get_to(entry.inode);
    in.at("size").get_to(entry.size);
    in.at("mtime_ns").get_to(entry.mtime_ns);
    in.at("keeps").get_to(entry.keeps);
    return entry;
}

UndoRecord undo_record_of(const Json& in) {
    UndoRecord record;
    record.root = unescape_bytes(in.at("root").get<std::string>());
    record.path = unescape_bytes(in.at("path").get<std::string>());
    record.prefix = unescape_bytes(in.at("prefix").get<std::string>());
    in.at("until_ns").get_to(record.until_ns);
    in.at("directory_mode").get_to(record.directory_mode);
    record.directory = in.value("directory", std::uint64_t{0});
    for (const Json& entry : in.at("entries"))
        record.entries.push_back(entry_of(entry));
    return record;
}

// Its times and sizes are those before, those after, or of a time at which only the restore wrote.
bool is_in_between(const UndoEntry& entry, const UndoNow& now, std::int64_t until_ns) {
    const bool known_size = now.size == entry.was.size || now.size == entry.size;
    const bool known_time = now.mtime_ns == entry.was.mtime_ns || now.mtime_ns == entry.mtime_ns ||
                            now.mtime_ns <= until_ns + k_skew_ns;
    return known_size && known_time;
}

bool is_as_made(const UndoEntry& entry, const UndoNow& now) {
    return now.inode == entry.inode && now.size == entry.size && now.mtime_ns == entry.mtime_ns;
}

UndoStep decide_displaced(const UndoEntry& entry, const UndoNow& now) {
    if (now.old_inode != entry.was.inode) return UndoStep::nothing;
    if (now.inode == entry.was.inode) return UndoStep::drop_old;
    const bool ours = now.inode == 0 || is_as_made(entry, now);
    return ours ? UndoStep::put_back : UndoStep::is_changed;
}

} // namespace

std::string undo_prefix(const std::string& job) {
    return ".ckpt-" + job + ".";
}

Result<std::string> random_prefix(const std::string& job) {
    std::uint64_t value = 0;
    if (::getrandom(&value, sizeof value, 0) != sizeof value)
        return fail_errno(Code::os, "draw a random name");
    return undo_prefix(job) + std::to_string(value);
}

LocalFile UndoRecord::file(const UndoEntry& entry) const {
    LocalFile file;
    file.root = root;
    file.directory = directory;
    file.path = path.empty() ? entry.name : path + "/" + entry.name;
    file.inode = entry.inode;
    file.size = entry.size;
    file.mtime_ns = entry.mtime_ns;
    return file;
}

std::string to_json(const std::vector<UndoRecord>& records) {
    Json out = {{"version", k_version}, {"records", Json::array()}};
    for (const UndoRecord& record : records) {
        Json one = {{"root", escape_bytes(record.root)},
                    {"path", escape_bytes(record.path)},
                    {"prefix", escape_bytes(record.prefix)},
                    {"until_ns", record.until_ns},
                    {"directory_mode", record.directory_mode},
                    {"directory", record.directory},
                    {"entries", Json::array()}};
        for (const UndoEntry& entry : record.entries)
            one["entries"].push_back(entry_json(entry));
        out["records"].push_back(std::move(one));
    }
    return out.dump(1);
}

Result<std::vector<UndoRecord>> undo_records_from_json(std::string_view text) {
    try {
        const Json in = parse_whole_numbers(text);
        if (in.at("version").get<int>() != k_version)
            return fail(Code::store_corrupt, "the record of a restore has an unknown version");
        std::vector<UndoRecord> records;
        for (const Json& one : in.at("records"))
            records.push_back(undo_record_of(one));
        return records;
    } catch (const Json::exception& e) {
        return fail(Code::store_corrupt, std::string("cannot read the record of a restore: ") + e.what());
    }
}

UndoStep decide_undo(const UndoEntry& entry, const UndoNow& now, std::int64_t until_ns) {
    switch (entry.placement) {
    case Placement::leave:
        break;
    case Placement::create:
        if (now.inode == 0 || now.inode != entry.inode) return UndoStep::nothing; // never ours
        return is_as_made(entry, now) ? UndoStep::unlink : UndoStep::is_changed;
    case Placement::replace:
    case Placement::remove:
        return decide_displaced(entry, now);
    case Placement::rewrite:
        if (now.inode != entry.was.inode || !is_in_between(entry, now, until_ns)) return UndoStep::is_changed;
        return UndoStep::write;
    }
    return UndoStep::nothing;
}

std::uint64_t beyond(const UndoEntry& entry, std::uint64_t most) {
    std::uint64_t bytes = entry.was.size;
    if (entry.placement == Placement::rewrite) {
        bytes = 0;
        for (const auto& [begin, end] : entry.was.ranges)
            bytes += std::min(end, entry.was.size) - std::min(begin, entry.was.size);
    }
    return bytes - std::min(bytes, most);
}

} // namespace ckpt
