// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/local_volume.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt::store {
namespace {

class NewLocalFile final : public NewFile {
public:
    explicit NewLocalFile(Fd fd) : m_fd(std::move(fd)) {}
    Status write(std::string_view bytes) override { return write_all(m_fd.get(), bytes); }
    Status finish() override {
        CKPT_CHECK(sync_fd(m_fd.get(), "the file"));
        // Whoever reads it here next shall see what is stored, not what is remembered.
        (void)::posix_fadvise(m_fd.get(), 0, 0, POSIX_FADV_DONTNEED);
        m_fd.reset();
        return {};
    }

private:
    Fd m_fd;
};

class OldLocalFile final : public OldFile {
public:
    OldLocalFile(Fd fd, std::uint64_t size) : m_fd(std::move(fd)), m_size(size) {}
    [[nodiscard]] std::uint64_t size() const override { return m_size; }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
        std::size_t have = 0;
        while (have < into.size()) {
            const ssize_t got = ::pread(m_fd.get(), into.data() + have, into.size() - have,
                                        static_cast<off_t>(offset + have));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return fail_errno(Code::os, "read");
            if (got == 0) break;
            have += static_cast<std::size_t>(got);
        }
        return have;
    }

private:
    Fd m_fd;
    std::uint64_t m_size;
};

// A regular file; a FIFO or device in its place neither hangs nor is read.
Result<std::pair<Fd, std::uint64_t>> open_regular(int dir, const std::string& name) {
    CKPT_TRY(Fd fd, open_beneath(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    struct stat st{};
    if (::fstat(fd.get(), &st) != 0) return fail_errno(Code::os, "look at " + name);
    if (!S_ISREG(st.st_mode)) return fail(Code::store_corrupt, name + " is not a regular file");
    return std::pair{std::move(fd), static_cast<std::uint64_t>(st.st_size)};
}

// Sums up what lies below a directory.
class Meter {
public:
    void add(int dir, const std::string& name, int depth) {
        struct stat st{};
        if (::fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return;
        m_usage.bytes += static_cast<std::uint64_t>(st.st_blocks) * k_block;
        if (!S_ISDIR(st.st_mode)) {
            m_files = true;
            m_usage.newest = std::max<std::int64_t>(m_usage.newest, st.st_ctim.tv_sec);
            return;
        }
        m_newest_dir = std::max<std::int64_t>(m_newest_dir, st.st_ctim.tv_sec);
        if (depth == 0) return;
        const auto sub = open_beneath(dir, name, O_RDONLY | O_DIRECTORY);
        if (!sub) return;
        (void)for_each_name(sub->get(), [&](const char* entry) {
            add(sub->get(), entry, depth - 1);
            return true;
        });
    }
    [[nodiscard]] Usage take() const { return {m_usage.bytes, m_files ? m_usage.newest : m_newest_dir}; }

    static constexpr int k_depth = 8; // as far as the store goes, and more

private:
    static constexpr std::uint64_t k_block = 512;
    Usage m_usage;
    std::int64_t m_newest_dir = 0;
    bool m_files = false;
};

} // namespace

Result<Fd> LocalVolume::open_dir(const std::string& path) const {
    return open_beneath(m_base.get(), path.empty() ? "." : path, O_RDONLY | O_DIRECTORY);
}

Result<LocalVolume::Entry> LocalVolume::entry(const std::string& path) const {
    const std::size_t slash = path.rfind('/');
    Entry found;
    found.name = slash == std::string::npos ? path : path.substr(slash + 1);
    if (!is_plain_name(found.name)) return fail(Code::internal, "not a path in the store: " + path);
    CKPT_TRY(found.parent, open_dir(slash == std::string::npos ? "" : path.substr(0, slash)));
    return found;
}

Result<std::vector<std::string>> LocalVolume::list(const std::string& dir) {
    CKPT_TRY(const Fd fd, open_dir(dir));
    auto names = list_dir(fd.get(), k_names_max);
    if (!names && names.error().errnum == EFBIG) {
        names.error().what =
            (dir.empty() ? "the directory" : dir) + " holds more names than the 12 MiB that are read";
        names.error().hint = "remove what is not the store's from " + m_name + (dir.empty() ? "" : "/" + dir);
    }
    return names;
}

Status LocalVolume::make_dir(const std::string& path) {
    CKPT_TRY(const Entry at, entry(path));
    CKPT_TRY([[maybe_unused]] const Fd made, make_dir_beneath(at.parent.get(), at.name, 0700));
    return sync_fd(at.parent.get(), "the directory above " + at.name);
}

Result<std::unique_ptr<NewFile>> LocalVolume::create(const std::string& path) {
    CKPT_TRY(const Entry at, entry(path));
    CKPT_TRY(Fd fd, open_beneath(at.parent.get(), at.name, O_WRONLY | O_CREAT | O_EXCL, 0600));
    return std::make_unique<NewLocalFile>(std::move(fd));
}

Result<std::unique_ptr<OldFile>> LocalVolume::open(const std::string& path) {
    CKPT_TRY(const Entry at, entry(path));
    CKPT_TRY(auto file, open_regular(at.parent.get(), at.name));
    return std::make_unique<OldLocalFile>(std::move(file.first), file.second);
}

Result<std::string> LocalVolume::read(const std::string& path, std::size_t max) {
    CKPT_TRY(const Entry at, entry(path));
    CKPT_TRY(const auto file, open_regular(at.parent.get(), at.name));
    return read_all(file.first.get(), max);
}

Status LocalVolume::rename(const std::string& from, const std::string& to) {
    CKPT_TRY(const Entry old_place, entry(from));
    CKPT_TRY(const Entry new_place, entry(to));
    if (::renameat(old_place.parent.get(), old_place.name.c_str(), new_place.parent.get(),
                   new_place.name.c_str()) != 0)
        return fail_errno(errno == ENOENT ? Code::not_found : Code::os, "rename " + old_place.name);
    return {};
}

Status LocalVolume::sync(const std::string& dir) {
    CKPT_TRY(const Fd fd, open_dir(dir));
    return sync_fd(fd.get(), "a directory");
}

Status LocalVolume::remove(const std::string& path) {
    const auto at = entry(path);
    if (!at && at.error().code == Code::not_found) return {};
    if (!at) return tl::unexpected(at.error());
    auto removed = remove_tree(at->parent.get(), at->name);
    if (!removed) removed.error().what = path + ": " + removed.error().what;
    return removed;
}

Result<Space> LocalVolume::space() {
    struct statvfs fs{};
    if (::fstatvfs(m_base.get(), &fs) != 0) return fail_errno(Code::os, "look at the file system");
    return Space{std::uint64_t{fs.f_bavail} * fs.f_frsize, std::uint64_t{fs.f_blocks} * fs.f_frsize};
}

Result<Usage> LocalVolume::usage(const std::string& path) {
    CKPT_TRY(const Entry at, entry(path));
    struct stat st{};
    if (::fstatat(at.parent.get(), at.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(errno == ENOENT ? Code::not_found : Code::os, "look at " + at.name);
    Meter meter;
    meter.add(at.parent.get(), at.name, Meter::k_depth);
    return meter.take();
}

} // namespace ckpt::store
