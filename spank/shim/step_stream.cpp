// SPDX-License-Identifier: GPL-2.0-or-later
#include "step_stream.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <ctime>
#include <optional>
#include <string>

namespace ckpt {

namespace {

std::optional<struct stat> status_of(int fd) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) return std::nullopt;
    return status;
}

bool is_null_device(const struct stat& status) {
    return S_ISCHR(status.st_mode) && major(status.st_rdev) == 1 && minor(status.st_rdev) == 3;
}

// Another description of the same pipe or terminal.
Fd open_again(int fd, int flags) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    return Fd(::open(path.c_str(), flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

template <typename Write>
ssize_t without_sigpipe(Write write) {
    sigset_t pipe;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
    const ssize_t n = write();
    const int errnum = errno;
    const timespec at_once{};
    if (n < 0 && errnum == EPIPE) ::sigtimedwait(&pipe, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = errnum;
    return n;
}

} // namespace

bool is_relayed_output(int fd) {
    const auto status = status_of(fd);
    return status && (S_ISFIFO(status->st_mode) || S_ISSOCK(status->st_mode) ||
                      (S_ISCHR(status->st_mode) && ::isatty(fd) == 1));
}

bool is_relayed_input(int fd) {
    const auto status = status_of(fd);
    return status && !is_null_device(*status) && !S_ISDIR(status->st_mode) && !S_ISBLK(status->st_mode);
}

bool is_same_file(int a, int b) {
    const auto first = status_of(a);
    const auto second = status_of(b);
    return first && second && first->st_dev == second->st_dev && first->st_ino == second->st_ino &&
           first->st_rdev == second->st_rdev;
}

StepStream::StepStream(int epoll, std::uint64_t mark, Fd fd, Way way) {
    const auto status = status_of(fd.get());
    const mode_t mode = status ? status->st_mode : 0;
    m_kind = S_ISFIFO(mode)   ? Kind::pipe
             : S_ISSOCK(mode) ? Kind::socket
             : S_ISREG(mode)  ? Kind::file
                              : Kind::other;
    if (m_kind == Kind::pipe || (m_kind == Kind::other && ::isatty(fd.get()) == 1))
        if (Fd ours = open_again(fd.get(), way == Way::read ? O_RDONLY : O_WRONLY)) {
            fd = std::move(ours);
            m_never_blocks = true;
        }
    m_fd = Watched(epoll, mark, std::move(fd));
}

bool StepStream::is_ready(short events) const {
    if (m_never_blocks || m_kind == Kind::file || m_kind == Kind::socket) return true;
    pollfd look{m_fd.get(), events, 0};
    return ::poll(&look, 1, 0) > 0;
}

ssize_t StepStream::read(std::span<char> into) {
    if (!is_ready(POLLIN)) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t n = 0;
    do
        n = m_kind == Kind::socket ? ::recv(m_fd.get(), into.data(), into.size(), MSG_DONTWAIT)
                                   : ::read(m_fd.get(), into.data(), into.size());
    while (n < 0 && errno == EINTR);
    return n;
}

ssize_t StepStream::write(std::string_view bytes) {
    if (m_kind == Kind::socket)
        return ::send(m_fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (!is_ready(POLLOUT)) {
        errno = EAGAIN;
        return -1;
    }
    return without_sigpipe([&] {
        ssize_t n = 0;
        do
            n = ::write(m_fd.get(), bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
        while (n < 0 && errno == EINTR);
        return n;
    });
}

bool StepStream::step_back(std::uint64_t bytes) {
    if (m_kind != Kind::file) return false;
    return bytes == 0 || ::lseek(m_fd.get(), -static_cast<off_t>(bytes), SEEK_CUR) >= 0;
}

bool StepStream::has_no_reader() const {
    if (m_kind != Kind::pipe) return false;
    pollfd look{m_fd.get(), 0, 0};
    return ::poll(&look, 1, 0) > 0 && (look.revents & POLLERR) != 0;
}

} // namespace ckpt
