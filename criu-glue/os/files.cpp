// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/files.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace ckpt {

namespace {

Code write_code(int errnum) {
    return errnum == ENOSPC || errnum == EDQUOT ? Code::store_full : Code::os;
}

constexpr std::size_t k_chunk = 1 << 16;
constexpr std::uint64_t k_between_looks = 16 << 20; // at the clock, in bytes

// Where the data at or behind `at` begins, `size` when there is none.
Result<std::uint64_t> data_from(int fd, std::uint64_t at, std::uint64_t size) {
    const off_t found = ::lseek(fd, static_cast<off_t>(at), SEEK_DATA);
    if (found >= 0) return std::min(static_cast<std::uint64_t>(found), size);
    if (errno == ENXIO) return size;
    return fail_errno(Code::os, "look for data in a file");
}

} // namespace

Result<std::string> read_all(int fd, std::size_t max) {
    std::string text;
    std::array<char, 16384> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    for (;;) {
        const ssize_t n = ::read(fd, buffer.data(), buffer.size());
        if (n == 0) return text;
        if (n < 0) {
            if (errno == EINTR) continue;
            return fail_errno(Code::os, "read");
        }
        if (text.size() + static_cast<std::size_t>(n) > max)
            return fail(Code::os, "file larger than expected");
        text.append(buffer.data(), static_cast<std::size_t>(n));
    }
}

Status write_all(int fd, std::string_view data) {
    while (!data.empty()) {
        const ssize_t n = ::write(fd, data.data(), data.size());
        if (n < 0) {
            if (errno == EINTR) continue;
            return fail_errno(write_code(errno), "write");
        }
        data.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

Status sync_fd(int fd, const std::string& what) {
    if (::fsync(fd) != 0) return fail_errno(write_code(errno), "fsync " + what);
    return {};
}

Status copy_range(int from, std::uint64_t from_at, int to, std::uint64_t to_at, std::uint64_t size) {
    std::array<char, k_chunk> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by pread
    for (std::uint64_t done = 0; done < size;) {
        const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(size - done, buffer.size()));
        const ssize_t n = ::pread(from, buffer.data(), want, static_cast<off_t>(from_at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail_errno(Code::os, "read a file", n == 0 ? EIO : errno);
        for (ssize_t put = 0; put < n;) {
            const auto at = static_cast<off_t>(to_at + done + static_cast<std::uint64_t>(put));
            const ssize_t m = ::pwrite(to, buffer.data() + put, static_cast<std::size_t>(n - put), at);
            if (m < 0 && errno == EINTR) continue;
            if (m < 0) return fail_errno(write_code(errno), "write a file");
            put += m;
        }
        done += static_cast<std::uint64_t>(n);
    }
    return {};
}

Result<std::uint64_t> copy_sparse(int from, std::uint64_t from_at, int to, std::uint64_t size,
                                  std::uint64_t data_max, CopyEnd stop) {
    const std::uint64_t end = from_at + size;
    std::uint64_t copied = 0;
    for (std::uint64_t at = from_at; at < end;) {
        CKPT_TRY(const std::uint64_t data, data_from(from, at, end));
        if (data == end) break;
        if (std::chrono::steady_clock::now() >= stop) return fail(Code::deadline, "a copy took too long");
        const off_t hole = ::lseek(from, static_cast<off_t>(data), SEEK_HOLE);
        if (hole < 0) return fail_errno(Code::os, "look for a hole in a file");
        at = std::min({static_cast<std::uint64_t>(hole), end, data + k_between_looks});
        copied += at - data;
        if (copied > data_max) return fail_errno(Code::os, "copy a file", EFBIG);
        CKPT_CHECK(copy_range(from, data, to, data - from_at, at - data));
    }
    if (::ftruncate(to, static_cast<off_t>(size)) != 0) return fail_errno(write_code(errno), "extend a file");
    return copied;
}

Result<std::uint64_t> copy_whole(int from, int to, std::uint64_t size, std::uint64_t data_max) {
    constexpr std::uint64_t k_block = 512; // of st_blocks
    struct stat st{};
    if (::fstat(from, &st) != 0) return fail_errno(Code::os, "look at a file");
    const std::uint64_t data = static_cast<std::uint64_t>(st.st_blocks) * k_block;
    const bool shares =
        data <= data_max && static_cast<std::uint64_t>(st.st_size) == size && ::ioctl(to, FICLONE, from) == 0;
    if (shares) return data;
    return copy_sparse(from, 0, to, size, data_max);
}

std::string link_target(int dir, const std::string& name) {
    std::string target(PATH_MAX, '\0');
    const ssize_t n = ::readlinkat(dir, name.c_str(), target.data(), target.size());
    target.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return target;
}

Result<Fd> duplicate(int fd) {
    Fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!copy) return fail_errno(Code::os, "duplicate a descriptor");
    return copy;
}

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(Code::os, "make a pipe");
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

Status replace_file(const std::string& path, std::string_view text, mode_t mode) {
    const std::size_t slash = path.rfind('/'); // of a name alone: npos, so that all of it is the name
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const std::string name = path.substr(slash + 1);
    const std::string action = "write " + path;
    const Fd dir(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return fail_errno(Code::os, action);
    struct stat there{};
    if (::fstatat(dir.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(there.st_mode))
        return fail(Code::os, action + ": what is there is no regular file");
    const std::string temp = "." + name + ".new";
    (void)::unlinkat(dir.get(), temp.c_str(), 0);
    const Fd file(
        ::openat(dir.get(), temp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return fail_errno(Code::os, action);
    Status written = write_all(file.get(), text);
    if (written && ::fchmod(file.get(), mode) != 0) written = fail_errno(Code::os, action);
    if (written && ::renameat(dir.get(), temp.c_str(), dir.get(), name.c_str()) != 0)
        written = fail_errno(Code::os, action);
    if (!written) (void)::unlinkat(dir.get(), temp.c_str(), 0);
    return written;
}

} // namespace ckpt
