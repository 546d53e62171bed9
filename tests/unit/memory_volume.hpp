// SPDX-License-Identifier: GPL-2.0-or-later
// A volume in memory, with faults on order.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "volume/volume.hpp"

namespace ckpt::store::test {

class MemoryVolume final : public Volume {
public:
    using Content = std::shared_ptr<std::string>; // an open file outlives its name

    // What is there: changed by tests as they like.
    std::map<std::string, Content> files;
    std::set<std::string> dirs{""};
    std::uint64_t written = 0; // bytes, by all files
    std::uint64_t reads = 0;   // calls of these kinds so far
    std::uint64_t changes = 0;
    std::vector<std::string> unsynced; // files without finish()

    enum class Calls : std::uint8_t { reading, changing };
    // From call number `nth` of this kind on (0: the next one) every one fails, or this one only.
    void fail_from(Calls kind, std::uint64_t nth, int errnum, bool once = false) {
        m_fault = Fault{kind, (kind == Calls::reading ? reads : changes) + nth, errnum, once};
    }
    void fail_no_more() { m_fault.reset(); }
    // Reads that touch this byte give EIO.
    void make_unreadable(const std::string& path, std::uint64_t offset) { m_unreadable[path].insert(offset); }
    void make_readable() { m_unreadable.clear(); }
    void flip(const std::string& path, std::uint64_t offset) {
        char& byte = files.at(path)->at(offset);
        byte = static_cast<char>(byte ^ 0x20);
    }
    [[nodiscard]] std::uint64_t size_below(const std::string& dir) const {
        std::uint64_t size = 0;
        for (const auto& [path, content] : files)
            if (path.starts_with(dir + "/")) size += content->size();
        return size;
    }

    [[nodiscard]] const std::string& name() const override { return m_name; }

    Result<std::vector<std::string>> list(const std::string& dir) override {
        CKPT_CHECK(reading("list " + dir));
        if (!dirs.contains(dir)) return error(ENOENT, "list " + dir);
        std::set<std::string> names;
        for (const auto& path : dirs)
            if (!path.empty() && parent_of(path) == dir) names.insert(last_of(path));
        for (const auto& [path, content] : files)
            if (parent_of(path) == dir) names.insert(last_of(path));
        return std::vector<std::string>(names.begin(), names.end());
    }

    Status make_dir(const std::string& path) override {
        CKPT_CHECK(changing("make " + path));
        if (files.contains(path)) return error(ENOTDIR, "make " + path);
        if (!dirs.contains(parent_of(path))) return error(ENOENT, "make " + path);
        dirs.insert(path);
        return {};
    }

    Result<std::unique_ptr<NewFile>> create(const std::string& path) override;
    Result<std::unique_ptr<OldFile>> open(const std::string& path) override;

    Result<std::string> read(const std::string& path, std::size_t max) override {
        CKPT_CHECK(reading("read " + path));
        const auto file = files.find(path);
        if (file == files.end()) return error(ENOENT, "read " + path);
        if (file->second->size() > max) return error(EFBIG, "read " + path);
        return *file->second;
    }

    Status rename(const std::string& from, const std::string& to) override {
        CKPT_CHECK(changing("rename " + from));
        if (!dirs.contains(parent_of(to))) return error(ENOENT, "rename to " + to);
        if (dirs.contains(to)) return error(EEXIST, "rename to " + to);
        if (!files.contains(from) && !dirs.contains(from)) return error(ENOENT, "rename " + from);
        const auto moved = [&](const std::string& path) { return to + path.substr(from.size()); };
        std::map<std::string, Content> new_files;
        for (const auto& [path, content] : files)
            if (path != to) new_files[is_below(path, from) ? moved(path) : path] = content;
        if (files.contains(from)) new_files[to] = files[from];
        files = std::move(new_files);
        std::set<std::string> new_dirs;
        for (const auto& path : dirs)
            new_dirs.insert(is_below(path, from) ? moved(path) : path);
        dirs = std::move(new_dirs);
        return {};
    }

    Status sync(const std::string& dir) override {
        CKPT_CHECK(changing("sync " + dir));
        return dirs.contains(dir) ? Status{} : Status{error(ENOENT, "sync " + dir)};
    }

    Status remove(const std::string& path) override {
        CKPT_CHECK(changing("remove " + path));
        std::erase_if(files, [&](const auto& file) { return is_below(file.first, path); });
        std::erase_if(dirs, [&](const auto& dir) { return is_below(dir, path); });
        return {};
    }

    Result<Space> space() override {
        CKPT_CHECK(reading("space"));
        return available;
    }
    Result<Usage> usage(const std::string& path) override {
        CKPT_CHECK(reading("usage " + path));
        if (!dirs.contains(path) && !files.contains(path)) return error(ENOENT, "usage " + path);
        return Usage{size_below(path), changed};
    }
    std::int64_t changed = 0; // everything, Unix seconds
    Space available{.free = std::uint64_t{1} << 40U, .total = std::uint64_t{1} << 41U};

private:
    class Writing;
    class Reading;
    struct Fault {
        Calls kind;
        std::uint64_t at;
        int errnum;
        bool once;
    };

    static std::string parent_of(const std::string& path) {
        const std::size_t slash = path.rfind('/');
        return slash == std::string::npos ? "" : path.substr(0, slash);
    }
    static std::string last_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }
    static bool is_below(const std::string& path, const std::string& top) {
        return path == top || (path.size() > top.size() && path.starts_with(top) && path[top.size()] == '/');
    }
    static tl::unexpected<Error> error(int errnum, const std::string& what) {
        Code code = Code::os;
        if (errnum == ENOENT) code = Code::not_found;
        if (errnum == ENOSPC || errnum == EDQUOT) code = Code::store_full;
        if (errnum == ETIMEDOUT) code = Code::deadline;
        return fail_errno(code, what, errnum);
    }
    Status count(Calls kind, std::uint64_t& calls, const std::string& what) {
        const std::uint64_t call = calls++;
        if (m_fault && m_fault->kind == kind && (m_fault->once ? call == m_fault->at : call >= m_fault->at))
            return error(m_fault->errnum, what);
        return {};
    }
    Status reading(const std::string& what) { return count(Calls::reading, reads, what); }
    Status changing(const std::string& what) { return count(Calls::changing, changes, what); }

    std::string m_name = "memory";
    std::optional<Fault> m_fault;
    std::map<std::string, std::set<std::uint64_t>> m_unreadable;
};

class MemoryVolume::Writing final : public NewFile {
public:
    Writing(MemoryVolume& volume, std::string path, Content content)
        : m_volume(volume), m_path(std::move(path)), m_content(std::move(content)) {}
    Status write(std::string_view bytes) override {
        CKPT_CHECK(m_volume.changing("write " + m_path));
        *m_content += bytes;
        m_volume.written += bytes.size();
        return {};
    }
    Status finish() override {
        CKPT_CHECK(m_volume.changing("finish " + m_path));
        std::erase(m_volume.unsynced, m_path);
        return {};
    }

private:
    MemoryVolume& m_volume;
    std::string m_path;
    Content m_content;
};

class MemoryVolume::Reading final : public OldFile {
public:
    Reading(MemoryVolume& volume, std::string path, Content content)
        : m_volume(volume), m_path(std::move(path)), m_content(std::move(content)),
          m_size(m_content->size()) {}
    [[nodiscard]] std::uint64_t size() const override { return m_size; }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
        CKPT_CHECK(m_volume.reading("read " + m_path));
        if (offset >= m_content->size()) return 0;
        const std::size_t size = std::min<std::uint64_t>(into.size(), m_content->size() - offset);
        for (const std::uint64_t bad : m_volume.m_unreadable[m_path])
            if (bad >= offset && bad < offset + size) return error(EIO, "read " + m_path);
        std::memcpy(into.data(), m_content->data() + offset, size);
        return size;
    }

private:
    MemoryVolume& m_volume;
    std::string m_path;
    Content m_content;
    std::uint64_t m_size;
};

inline Result<std::unique_ptr<NewFile>> MemoryVolume::create(const std::string& path) {
    CKPT_CHECK(changing("create " + path));
    if (!dirs.contains(parent_of(path))) return error(ENOENT, "create " + path);
    if (files.contains(path) || dirs.contains(path)) return error(EEXIST, "create " + path);
    auto content = std::make_shared<std::string>();
    files[path] = content;
    unsynced.push_back(path);
    return std::make_unique<Writing>(*this, path, std::move(content));
}

inline Result<std::unique_ptr<OldFile>> MemoryVolume::open(const std::string& path) {
    CKPT_CHECK(reading("open " + path));
    const auto file = files.find(path);
    if (file == files.end()) return error(ENOENT, "open " + path);
    return std::make_unique<Reading>(*this, path, file->second);
}

} // namespace ckpt::store::test
