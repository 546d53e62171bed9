// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/copied_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <map>
#include <string_view>

#include "engine/placing.hpp"
#include "engine/user_child.hpp"
#include "engine/way.hpp"
#include "os/files.hpp"
#include "os/procfs.hpp"
#include "os/safe_path.hpp"
#include "os/tree.hpp"
#include "text/text.hpp"

namespace ckpt {

namespace {

constexpr mode_t k_permissions = 07777;
constexpr std::string_view k_sqlite = "SQLite format 3"; // and a NUL, as every database begins

LocalFile local_file(const std::string& path, std::uint64_t inode) {
    const std::size_t slash = path.rfind('/');
    LocalFile file;
    file.root = path.substr(0, slash);
    file.path = path.substr(slash + 1);
    file.inode = inode;
    file.only_grows = false;
    return file;
}

Status scan_mappings(pid_t pid, std::vector<OpenFile>& out) {
    CKPT_TRY(const Fd proc, open_proc(pid));
    const Fd maps(::openat(proc.get(), "map_files", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!maps) return fail_errno(Code::os, "list the mappings of pid " + std::to_string(pid));
    CKPT_TRY(const auto names, list_dir(maps.get()));
    for (const std::string& name : names) {
        struct stat link{};
        struct stat st{};
        // The link's own mode is that of the open file (fs/proc/base.c:proc_map_files_instantiate).
        if (::fstatat(maps.get(), name.c_str(), &link, AT_SYMLINK_NOFOLLOW) != 0 ||
            (link.st_mode & S_IWUSR) == 0 || ::fstatat(maps.get(), name.c_str(), &st, 0) != 0)
            continue;
        if (!S_ISREG(st.st_mode) || st.st_nlink == 0) continue;
        out.push_back({link_target(maps.get(), name), st.st_dev, st.st_ino,
                       static_cast<std::uint64_t>(st.st_size), 0, O_RDWR, birth_ns(maps.get(), name)});
    }
    return {};
}

// Everything here runs as the user.
class Saver {
public:
    Saver(int images, std::uint64_t limit) : m_images(images), m_limit(limit) {}

    Status save(const LocalFile& file) {
        CKPT_TRY(const bool is_database, save_one(file, true));
        if (!is_database) return {};
        for (const std::string& path : companions_of(file.full_path())) {
            if (m_saved.contains(path)) continue;
            CKPT_CHECK(save_companion(local_file(path, 0)));
        }
        return {};
    }

    DumpRecord take() {
        DumpRecord record;
        for (auto& [path, file] : m_saved)
            record.copied_files.push_back(std::move(file));
        return record;
    }

private:
    // A journal that begins after the cut would be rolled into the restored database.
    Status save_companion(LocalFile file) {
        CKPT_TRY(const LocalNow now, look_at(file));
        if (now.what == LocalNow::What::missing) {
            CKPT_TRY(const Fd parent, open_parent(file));
            file.directory = inode_of(parent.get());
            file.kind = LocalFile::Kind::absent;
            m_saved.emplace(file.full_path(), std::move(file));
            return {};
        }
        const auto saved = save_one(file, false);
        if (!saved) return tl::unexpected(saved.error());
        return {};
    }

    // Whether it is a database, or may become one: it is empty.
    Result<bool> save_one(LocalFile file, bool same_inode) {
        if (m_saved.contains(file.full_path())) return false;
        CKPT_TRY(const Fd parent, open_parent(file));
        const auto source = open_beneath(parent.get(), file.path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (!source && source.error().code == Code::not_found) return false;
        struct stat st{};
        if (!source || ::fstat(source->get(), &st) != 0)
            return fail_errno(Code::dump_refused, "read " + file.full_path() + ", which the job writes to");
        const bool other = same_inode && st.st_ino != file.inode;
        if (!S_ISREG(st.st_mode) || st.st_uid != ::geteuid() || other) return false;
        if (::faccessat(parent.get(), ".", W_OK | X_OK, AT_EACCESS) != 0)
            return fail(Code::dump_refused,
                        "the job writes to " + file.full_path() +
                            " in place, and the user may make no file beside it, as putting it back needs",
                        "make its directory writable, or submit without --checkpoint-files=copy");
        file.directory = inode_of(parent.get());
        file.born_ns = birth_ns(source->get(), "");
        file.mode = st.st_mode & k_permissions;
        file.device = st.st_dev;
        file.inode = st.st_ino;
        file.size = static_cast<std::uint64_t>(st.st_size);
        file.mtime_ns = std::int64_t{st.st_mtim.tv_sec} * 1'000'000'000 + st.st_mtim.tv_nsec;
        file.content = "copy-" + std::to_string(m_contents++);
        CKPT_CHECK(copy(source->get(), file));
        const bool database = file.size == 0 || begins_as_database(source->get());
        m_saved.emplace(file.full_path(), std::move(file));
        return database;
    }

    static std::uint64_t inode_of(int fd) {
        struct stat st{};
        return ::fstat(fd, &st) == 0 ? st.st_ino : 0;
    }

    Status copy(int source, const LocalFile& file) {
        CKPT_TRY(const Fd copy, open_beneath(m_images, file.content, O_WRONLY | O_CREAT | O_EXCL, 0600));
        const auto copied = copy_whole(source, copy.get(), file.size, m_limit - m_bytes);
        if (!copied) return tl::unexpected(as_dump_error(copied.error(), file));
        m_bytes += *copied;
        return {};
    }

    static bool begins_as_database(int fd) {
        std::array<char, k_sqlite.size() + 1> head{};
        return ::pread(fd, head.data(), head.size(), 0) == static_cast<ssize_t>(head.size()) &&
               std::string_view(head.data(), k_sqlite.size()) == k_sqlite;
    }

    [[nodiscard]] Error as_dump_error(Error error, const LocalFile& file) const {
        if (error.errnum == EFBIG)
            return {Code::dump_refused,
                    "the files that the job writes to in place (" + file.full_path() + ") hold more than " +
                        text::bytes(m_limit),
                    "submit without --checkpoint-files=copy, or have engine.copy_limit raised", 0};
        if (error.code == Code::store_full) error.code = Code::dump_unfit;
        return error;
    }

    int m_images;
    std::uint64_t m_limit;
    std::uint64_t m_bytes = 0;
    unsigned m_contents = 0;
    std::map<std::string, LocalFile> m_saved; // by full path
};

} // namespace

Result<std::vector<OpenFile>> files_mapped_for_writing(pid_t root) {
    std::vector<OpenFile> found;
    CKPT_TRY(const auto pids, tree_pids(root));
    for (const pid_t pid : pids) {
        const auto info = process_info(pid);
        if (info && info->state != 'Z') CKPT_CHECK(scan_mappings(pid, found));
    }
    return found;
}

std::vector<LocalFile> files_to_copy(const std::vector<OpenFile>& open, const std::vector<OpenFile>& mapped,
                                     const std::set<std::string>& handled) {
    std::map<std::string, LocalFile> wanted;
    const auto add = [&](const OpenFile& file) {
        if (file.path.starts_with('/') && !handled.contains(file.path))
            wanted.try_emplace(file.path, local_file(file.path, file.inode));
    };
    for (const OpenFile& file : open)
        if ((file.flags & O_APPEND) == 0) add(file);
    for (const OpenFile& file : mapped)
        add(file);
    std::vector<LocalFile> out;
    out.reserve(wanted.size());
    for (auto& [path, file] : wanted)
        out.push_back(std::move(file));
    return out;
}

std::vector<std::string> companions_of(const std::string& path) {
    return {path + "-journal", path + "-wal", path + "-shm"};
}

Result<std::vector<LocalFile>> save_copies(const std::vector<LocalFile>& files, const JobUser& user,
                                           int mount_ns, int images, std::uint64_t limit,
                                           std::chrono::milliseconds patience) {
    if (files.empty()) return std::vector<LocalFile>();
    CKPT_TRY(const std::string text, as_user(user, mount_ns, patience, [&]() -> Result<std::string> {
                 Saver saver(images, limit);
                 for (const LocalFile& file : files)
                     CKPT_CHECK(saver.save(file));
                 return to_json(saver.take());
             }));
    CKPT_TRY(DumpRecord record, record_from_json(text));
    return std::move(record.copied_files);
}

} // namespace ckpt
