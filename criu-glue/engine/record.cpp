// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/record.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "engine/whole_numbers.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

using Json = nlohmann::json;

constexpr int k_record_version = 1;
constexpr std::size_t k_record_max = 64 << 20;

const char* kind_name(StdioIdentity::Kind kind) {
    switch (kind) {
    case StdioIdentity::Kind::pipe:
        return "pipe";
    case StdioIdentity::Kind::file:
        return "file";
    case StdioIdentity::Kind::other:
        break;
    }
    return "other";
}

StdioIdentity::Kind kind_of(const std::string& name) {
    if (name == "pipe") return StdioIdentity::Kind::pipe;
    if (name == "file") return StdioIdentity::Kind::file;
    return StdioIdentity::Kind::other;
}

Json file_json(const OpenFile& file) {
    return {{"path", escape_bytes(file.path)},
            {"device", file.device},
            {"inode", file.inode},
            {"size", file.size},
            {"position", file.position},
            {"flags", file.flags},
            {"born_ns", file.born_ns}};
}

OpenFile file_of(const Json& in) {
    OpenFile file;
    file.path = unescape_bytes(in.at("path").get<std::string>());
    in.at("device").get_to(file.device);
    in.at("inode").get_to(file.inode);
    in.at("size").get_to(file.size);
    in.at("position").get_to(file.position);
    in.at("flags").get_to(file.flags);
    file.born_ns = in.value("born_ns", std::int64_t{0});
    return file;
}

constexpr std::array<std::string_view, 4> k_local_kinds = {"file", "directory", "fifo", "absent"};

Json local_json(const LocalFile& file) {
    return {{"kind", k_local_kinds.at(static_cast<std::size_t>(file.kind))},
            {"root", escape_bytes(file.root)},
            {"path", escape_bytes(file.path)},
            {"mode", file.mode},
            {"device", file.device},
            {"inode", file.inode},
            {"size", file.size},
            {"mtime_ns", file.mtime_ns},
            {"only_grows", file.only_grows},
            {"content", file.content},
            {"born_ns", file.born_ns},
            {"directory", file.directory}};
}

LocalFile local_of(const Json& in) {
    LocalFile file;
    const auto* const kind = std::ranges::find(k_local_kinds, in.at("kind").get<std::string>());
    if (kind == k_local_kinds.end()) throw Json::other_error::create(501, "an unknown kind of file", &in);
    file.kind = static_cast<LocalFile::Kind>(kind - k_local_kinds.begin());
    file.root = unescape_bytes(in.at("root").get<std::string>());
    file.path = unescape_bytes(in.at("path").get<std::string>());
    in.at("mode").get_to(file.mode);
    in.at("device").get_to(file.device);
    in.at("inode").get_to(file.inode);
    in.at("size").get_to(file.size);
    in.at("mtime_ns").get_to(file.mtime_ns);
    in.at("only_grows").get_to(file.only_grows);
    in.at("content").get_to(file.content);
    file.born_ns = in.value("born_ns", std::int64_t{0});
    file.directory = in.value("directory", std::uint64_t{0});
    return file;
}

Json output_json(const SavedOutput& output) {
    return {{"path", escape_bytes(output.path)},
            {"size", output.size},
            {"from", output.from},
            {"content", output.content}};
}

SavedOutput output_of(const Json& in) {
    return {unescape_bytes(in.at("path").get<std::string>()), in.at("size").get<std::uint64_t>(),
            in.at("from").get<std::uint64_t>(), in.at("content").get<std::string>()};
}

Json link_json(const LinkedFile& file) {
    return {{"link", escape_bytes(file.link)},
            {"inode", file.inode},
            {"size", file.size},
            {"mode", file.mode},
            {"sibling", escape_bytes(file.sibling)},
            {"content", file.content},
            {"elsewhere", file.elsewhere}};
}

LinkedFile link_of(const Json& in) {
    LinkedFile file;
    file.link = unescape_bytes(in.at("link").get<std::string>());
    in.at("inode").get_to(file.inode);
    in.at("size").get_to(file.size);
    in.at("mode").get_to(file.mode);
    file.sibling = unescape_bytes(in.at("sibling").get<std::string>());
    in.at("content").get_to(file.content);
    in.at("elsewhere").get_to(file.elsewhere);
    return file;
}

// A copy, as Json::value() makes one, would be made by a recursion as deep as what is there.
const Json& list_in(const Json& in, const char* name) {
    static const Json none = Json::array();
    const auto found = in.find(name);
    return found != in.end() ? *found : none;
}

DumpRecord record_of(const Json& in) {
    DumpRecord record;
    const Json& stdio = in.at("stdio");
    for (std::size_t i = 0; i < record.stdio.size(); ++i) {
        const Json& one = stdio.at(i);
        record.stdio.at(i) = {kind_of(one.at("kind").get<std::string>()),
                              one.at("inode").get<std::uint64_t>(),
                              unescape_bytes(one.at("path").get<std::string>())};
    }
    in.at("status_pipe").get_to(record.status_pipe);
    if (const Json& script = in.at("script"); !script.is_null())
        record.script = ScriptPosition{unescape_bytes(script.at("path").get<std::string>()),
                                       script.at("position").get<std::uint64_t>(),
                                       script.value("content", std::uint64_t{0})};
    in.at("monotonic_ns").get_to(record.clocks.monotonic_ns);
    in.at("boottime_ns").get_to(record.clocks.boottime_ns);
    for (const Json& file : in.at("files"))
        record.files.push_back(file_of(file));
    record.boot_id = in.value("boot_id", "");
    for (const Json& file : list_in(in, "local_files"))
        record.local_files.push_back(local_of(file));
    for (const Json& file : list_in(in, "copied_files"))
        record.copied_files.push_back(local_of(file));
    for (const Json& output : list_in(in, "outputs"))
        record.outputs.push_back(output_of(output));
    for (const Json& file : list_in(in, "links"))
        record.links.push_back(link_of(file));
    record.task = in.value("task", "");
    record.criu_version = in.value("criu_version", "");
    return record;
}

} // namespace

std::string to_json(const DumpRecord& record) {
    Json out = {{"version", k_record_version},
                {"status_pipe", record.status_pipe},
                {"script", nullptr},
                {"monotonic_ns", record.clocks.monotonic_ns},
                {"boottime_ns", record.clocks.boottime_ns},
                {"stdio", Json::array()},
                {"files", Json::array()},
                {"boot_id", record.boot_id},
                {"local_files", Json::array()},
                {"copied_files", Json::array()},
                {"outputs", Json::array()},
                {"links", Json::array()},
                {"task", record.task},
                {"criu_version", record.criu_version}};
    for (const StdioIdentity& one : record.stdio)
        out["stdio"].push_back(
            {{"kind", kind_name(one.kind)}, {"inode", one.inode}, {"path", escape_bytes(one.path)}});
    if (record.script)
        out["script"] = {{"path", escape_bytes(record.script->path)},
                         {"position", record.script->position},
                         {"content", record.script->content}};
    for (const OpenFile& file : record.files)
        out["files"].push_back(file_json(file));
    for (const LocalFile& file : record.local_files)
        out["local_files"].push_back(local_json(file));
    for (const LocalFile& file : record.copied_files)
        out["copied_files"].push_back(local_json(file));
    for (const SavedOutput& output : record.outputs)
        out["outputs"].push_back(output_json(output));
    for (const LinkedFile& file : record.links)
        out["links"].push_back(link_json(file));
    return out.dump(1);
}

Result<DumpRecord> record_from_json(std::string_view text) {
    try {
        const Json in = parse_whole_numbers(text);
        if (in.at("version").get<int>() != k_record_version)
            return fail(Code::store_corrupt, "the record of open files has an unknown version");
        return record_of(in);
    } catch (const Json::exception& e) {
        return fail(Code::store_corrupt, std::string("cannot read the record of open files: ") + e.what());
    }
}

Result<DumpRecord> read_dump_record(int images) {
    CKPT_TRY(const Fd file, open_beneath(images, k_record_name, O_RDONLY));
    CKPT_TRY(const std::string text, read_all(file.get(), k_record_max));
    return record_from_json(text);
}

} // namespace ckpt
