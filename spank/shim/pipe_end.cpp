// SPDX-License-Identifier: GPL-2.0-or-later
#include "pipe_end.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "os/files.hpp"

namespace ckpt {

namespace {

std::string own_path(int fd) {
    return "/proc/self/fd/" + std::to_string(fd);
}

short events_now(int fd, short events) {
    pollfd one{fd, events, 0};
    return ::poll(&one, 1, 0) > 0 ? one.revents : static_cast<short>(0);
}

std::size_t bytes_in(int fd) {
    int count = 0;
    return ::ioctl(fd, FIONREAD, &count) == 0 ? static_cast<std::size_t>(std::max(count, 0)) : 0;
}

// tee(2) begins at the front each time: all of it has to fit at once.
Result<std::string> copy_out(int from, std::size_t bytes) {
    CKPT_TRY(Pipe copy, make_pipe());
    if (const int capacity = ::fcntl(from, F_GETPIPE_SZ); capacity > 0)
        (void)::fcntl(copy.write.get(), F_SETPIPE_SZ, capacity);
    const ssize_t n = ::tee(from, copy.write.get(), bytes, SPLICE_F_NONBLOCK);
    if (n < 0) return fail_errno(Code::os, "look at a task's standard input");
    if (static_cast<std::size_t>(n) != bytes)
        return fail(Code::os, "only a part of a task's standard input could be looked at");
    copy.write.reset();
    return read_all(copy.read.get(), bytes);
}

} // namespace

bool is_pipe(int fd) {
    struct statfs status{};
    return ::fstatfs(fd, &status) == 0 && status.f_type == PIPEFS_MAGIC;
}

Status leave_mark(const Fd& number) {
    const Fd mark(::open(own_path(number.get()).c_str(), O_PATH | O_CLOEXEC));
    if (!mark || ::dup3(mark.get(), number.get(), O_CLOEXEC) < 0)
        return fail_errno(Code::os, "mark a task's pipe");
    return {};
}

Result<std::string> look_into_pipe(const Fd& mark) {
    const Fd reader(::open(own_path(mark.get()).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!reader) return fail_errno(Code::os, "look at a task's standard input");
    const std::size_t bytes = bytes_in(reader.get());
    return bytes == 0 ? std::string() : copy_out(reader.get(), bytes);
}

PipeEnd PipeEnd::of_our_own(Fd fd) {
    ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
    return {std::move(fd), true};
}

Result<PipeEnd> PipeEnd::of(int shared, int access) {
    // slurmstepd makes its pipes with the user's file system uid (mgr.c:_setup_normal_io), so this is
    // allowed.
    if (Fd own(::open(own_path(shared).c_str(), access | O_NONBLOCK | O_CLOEXEC)); own)
        return PipeEnd(std::move(own), true);
    CKPT_TRY(Fd copy, duplicate(shared));
    return PipeEnd(std::move(copy), false);
}

bool PipeEnd::is_ready(short events) const {
    return m_own || events_now(m_fd.get(), events) != 0;
}

Transfer PipeEnd::read(std::string& to) {
    std::array<char, k_pipe_chunk> chunk; // NOLINT(cppcoreguidelines-pro-type-member-init): read(2) fills it
    if (!is_ready(POLLIN)) return {};
    for (;;) {
        const ssize_t n = ::read(m_fd.get(), chunk.data(), chunk.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return {0, errno != EAGAIN};
        to.append(chunk.data(), static_cast<std::size_t>(n));
        return {static_cast<std::size_t>(n), n == 0};
    }
}

Transfer PipeEnd::write(std::string_view bytes) {
    Transfer all;
    while (all.bytes < bytes.size() && is_ready(POLLOUT)) {
        // A pipe that has room has room for so much (pipe(7)).
        const std::string_view piece = bytes.substr(all.bytes, m_own ? std::string_view::npos : PIPE_BUF);
        const ssize_t n = ::write(m_fd.get(), piece.data(), piece.size());
        if (n < 0 && errno == EINTR) continue;
        all.ended = n < 0 && errno != EAGAIN;
        if (n < 0) break;
        all.bytes += static_cast<std::size_t>(n);
    }
    return all;
}

std::size_t PipeEnd::unread() const {
    return bytes_in(m_fd.get());
}

bool PipeEnd::is_broken() const {
    return (events_now(m_fd.get(), 0) & POLLERR) != 0;
}

} // namespace ckpt
