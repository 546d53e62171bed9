// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/rewrite.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/placing.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_chunk = 1 << 16;
constexpr mode_t k_permissions = 07777;

using Chunk = std::array<char, k_chunk>;

struct Opened {
    Fd fd;
    struct stat st{};
};

Result<Opened> open_file(const LocalFile& file, int flags) {
    CKPT_TRY(const Fd parent, open_parent(file));
    const std::string name = file.path.substr(file.path.rfind('/') + 1);
    Opened opened;
    CKPT_TRY(opened.fd, open_beneath(parent.get(), name, flags | O_NONBLOCK | O_NOCTTY));
    if (::fstat(opened.fd.get(), &opened.st) != 0) return fail_errno(Code::os, "look at " + file.full_path());
    if (!S_ISREG(opened.st.st_mode) || opened.st.st_uid != ::geteuid())
        return fail(Code::rollback_refused, file.full_path() + " has changed while it was looked at");
    return opened;
}

// A file that is read-only now may have been open for writing.
Result<Opened> open_for_writing(const LocalFile& file, const Rewrite& rewrite) {
    auto opened = open_file(file, O_RDWR);
    if (!opened && opened.error().errnum == EACCES) {
        CKPT_TRY(const Opened readable, open_file(file, O_RDONLY));
        if (::fchmod(readable.fd.get(), S_IRUSR | S_IWUSR) != 0)
            return fail_errno(Code::os, "make " + file.full_path() + " writable");
        opened = open_file(file, O_RDWR);
    }
    if (opened && opened->st.st_ino != rewrite.inode)
        return fail(Code::rollback_refused, file.full_path() + " has changed while it was put back");
    return opened;
}

Result<std::size_t> read_chunk(int fd, std::uint64_t at, std::size_t size, Chunk& chunk) {
    std::size_t done = 0;
    while (done < size) {
        const ssize_t n = ::pread(fd, chunk.data() + done, size - done, static_cast<off_t>(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(Code::os, "read a file");
        if (n == 0) break;
        done += static_cast<std::size_t>(n);
    }
    return done;
}

void add_range(Rewrite& rewrite, std::uint64_t begin, std::uint64_t end) {
    if (!rewrite.ranges.empty() && rewrite.ranges.back().second == begin)
        rewrite.ranges.back().second = end;
    else
        rewrite.ranges.emplace_back(begin, end);
}

bool is_zero(const Chunk& chunk, std::size_t size) {
    return std::all_of(chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(size),
                       [](char c) { return c == 0; });
}

Status set_state(int fd, std::uint32_t mode, std::int64_t mtime_ns) {
    const std::array times = {timespec{0, UTIME_OMIT},
                              timespec{mtime_ns / 1'000'000'000, mtime_ns % 1'000'000'000}};
    if (::fchmod(fd, mode) != 0 || ::futimens(fd, times.data()) != 0)
        return fail_errno(Code::os, "set a file's mode and time");
    return {};
}

// Bytes that are zero behind a file's end need not be written after it was lengthened.
Status write_range(int from, int to, std::uint64_t begin, std::uint64_t end, std::uint64_t fresh_from) {
    Chunk chunk; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read_chunk
    for (std::uint64_t at = begin; at < end;) {
        const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(end - at, k_chunk));
        CKPT_TRY(const std::size_t got, read_chunk(from, at, want, chunk));
        if (got == 0) return fail_errno(Code::os, "read a file", EIO);
        if (at < fresh_from || !is_zero(chunk, got)) CKPT_CHECK(copy_range(from, at, to, at, got));
        at += got;
    }
    return {};
}

} // namespace

Result<Rewrite> save_differences(const LocalFile& file, int images, int saved, std::uint64_t room) {
    CKPT_TRY(const Opened now, open_file(file, O_RDONLY));
    CKPT_TRY(const Fd content, open_beneath(images, file.content, O_RDONLY));
    Rewrite rewrite{now.st.st_ino,
                    static_cast<std::uint64_t>(now.st.st_size),
                    now.st.st_mode & k_permissions,
                    std::int64_t{now.st.st_mtim.tv_sec} * 1'000'000'000 + now.st.st_mtim.tv_nsec,
                    {}};
    Chunk was; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read_chunk
    Chunk is;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read_chunk
    for (std::uint64_t at = 0; at < std::max(rewrite.size, file.size); at += k_chunk) {
        CKPT_TRY(const std::size_t had, read_chunk(content.get(), at, k_chunk, was));
        CKPT_TRY(const std::size_t has, read_chunk(now.fd.get(), at, k_chunk, is));
        if (had == has && std::memcmp(was.data(), is.data(), had) == 0) continue;
        add_range(rewrite, at, at + std::max(had, has));
        if (is_zero(is, has)) continue; // `saved` reads as zero there
        if (has > room) return fail_errno(Code::os, "save " + file.full_path(), EFBIG);
        room -= has;
        CKPT_CHECK(copy_range(now.fd.get(), at, saved, at, has));
    }
    if (::ftruncate(saved, static_cast<off_t>(rewrite.size)) != 0)
        return fail_errno(Code::os, "save " + file.full_path());
    return rewrite;
}

Status write_differences(const LocalFile& file, int images, const Rewrite& rewrite) {
    CKPT_TRY(const Opened now, open_for_writing(file, rewrite));
    CKPT_TRY(const Fd content, open_beneath(images, file.content, O_RDONLY));
    if (::ftruncate(now.fd.get(), static_cast<off_t>(file.size)) != 0)
        return fail_errno(Code::os, "set the length of " + file.full_path());
    for (const auto& [begin, end] : rewrite.ranges)
        if (begin < file.size)
            CKPT_CHECK(
                write_range(content.get(), now.fd.get(), begin, std::min(end, file.size), rewrite.size));
    CKPT_CHECK(sync_fd(now.fd.get(), file.full_path())); // before it looks as it did
    return set_state(now.fd.get(), file.mode, file.mtime_ns);
}

Status undo_rewrite(const LocalFile& file, const Rewrite& rewrite, int saved) {
    CKPT_TRY(const Opened now, open_for_writing(file, rewrite));
    if (::ftruncate(now.fd.get(), static_cast<off_t>(rewrite.size)) != 0)
        return fail_errno(Code::os, "set the length of " + file.full_path());
    for (const auto& [begin, end] : rewrite.ranges)
        if (begin < rewrite.size)
            CKPT_CHECK(write_range(saved, now.fd.get(), begin, std::min(end, rewrite.size), file.size));
    CKPT_CHECK(sync_fd(now.fd.get(), file.full_path()));
    return set_state(now.fd.get(), rewrite.mode, rewrite.mtime_ns);
}

} // namespace ckpt
