// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace ckpt {

namespace {

Code write_code(int errnum) {
    return errnum == ENOSPC || errnum == EDQUOT ? Code::store_full : Code::os;
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

} // namespace ckpt
