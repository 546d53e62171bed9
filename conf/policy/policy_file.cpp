// SPDX-License-Identifier: GPL-2.0-or-later
// Reading the policy from disk: whom to trust. What the text means is policy_yaml.cpp's.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <format>

#include "policy/policy_yaml.hpp"
#include "policy/text.hpp"
#include "policy/yaml_document.hpp"

namespace ckpt {
namespace {

// conf depends on nothing of ours, so not on os/fd.hpp either.
class File {
public:
    explicit File(int fd) : m_fd(fd) {}
    ~File() {
        if (m_fd >= 0) ::close(m_fd);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    File(File&&) = delete;
    File& operator=(File&&) = delete;
    [[nodiscard]] int fd() const { return m_fd; }

private:
    int m_fd;
};

std::string subject(const std::string& path) {
    return "cannot use the policy " + without_controls(path);
}

Status check_trust(int fd, const std::string& path, uid_t owner) {
    struct stat st{};
    if (::fstat(fd, &st) != 0) return fail_errno(Code::policy_unreadable, subject(path));
    if (!S_ISREG(st.st_mode)) return fail(Code::policy_unreadable, subject(path) + ": not a regular file");
    if (st.st_uid != owner)
        return fail(Code::policy_unreadable,
                    std::format("{}: it belongs to uid {}, expected root", subject(path), st.st_uid),
                    "chown root " + without_controls(path));
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail(
            Code::policy_unreadable,
            std::format("{}: mode {:04o} lets others than root write it", subject(path), st.st_mode & 07777U),
            "chmod go-w " + without_controls(path));
    return {};
}

// At most one byte more than parse_policy takes, whatever fstat said: the file may grow.
Result<std::string> read_bounded(int fd, const std::string& path) {
    std::string text(k_yaml_bytes_max + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(Code::policy_unreadable, subject(path));
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    text.resize(size);
    return text;
}

} // namespace

Result<Policy> load_policy(const std::string& path, uid_t owner) {
    // O_NONBLOCK: opening a FIFO must not wait for a writer before fstat tells what it is.
    const File file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (file.fd() < 0) {
        if (errno == ENOENT) return Policy{};
        if (errno == ELOOP)
            return fail(Code::policy_unreadable, subject(path) + ": it is a symbolic link, expected a file");
        return fail_errno(Code::policy_unreadable, subject(path));
    }
    CKPT_CHECK(check_trust(file.fd(), path, owner));
    CKPT_TRY(const std::string text, read_bounded(file.fd(), path));
    return parse_policy(path, text);
}

} // namespace ckpt
