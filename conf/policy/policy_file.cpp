// SPDX-License-Identifier: GPL-2.0-or-later
// Reading the policy from disk: whom to trust. What the text means is policy_yaml.cpp's.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <format>
#include <memory>
#include <utility>
#include <vector>

#include "policy/policy_yaml.hpp"
#include "policy/yaml_document.hpp"
#include "result/printable.hpp"

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
    return "cannot use the policy " + printable(path);
}

Status check_trust(int fd, mode_t kind, const std::string& path, uid_t owner) {
    struct stat st{};
    if (::fstat(fd, &st) != 0) return fail_errno(Code::policy_unreadable, subject(path));
    if ((st.st_mode & S_IFMT) != kind)
        return fail(Code::policy_unreadable, subject(path) + ": not a regular file");
    if (st.st_uid != owner)
        return fail(Code::policy_unreadable,
                    std::format("{}: it belongs to uid {}, expected root", subject(path), st.st_uid),
                    "chown root " + printable(path));
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail(
            Code::policy_unreadable,
            std::format("{}: mode {:04o} lets others than root write it", subject(path), st.st_mode & 07777U),
            "chmod go-w " + printable(path));
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

// `shown`: the whole path.
Status read_file(int beneath, const std::string& name, const std::string& shown, uid_t owner,
                 std::vector<PolicyText>& into) {
    // O_NONBLOCK: opening a FIFO must not wait for a writer before fstat tells what it is.
    const File file(
        ::openat(beneath, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (file.fd() < 0) {
        if (errno == ENOENT) return {};
        if (errno == ELOOP)
            return fail(Code::policy_unreadable, subject(shown) + ": it is a symbolic link, expected a file");
        return fail_errno(Code::policy_unreadable, subject(shown));
    }
    CKPT_CHECK(check_trust(file.fd(), S_IFREG, shown, owner));
    CKPT_TRY(std::string text, read_bounded(file.fd(), shown));
    into.push_back({shown, std::move(text)});
    return {};
}

std::string drop_ins_of(const std::string& path) {
    constexpr std::string_view k_suffix = ".yaml";
    return (path.ends_with(k_suffix) ? path.substr(0, path.size() - k_suffix.size()) : path) + ".d";
}

Result<std::vector<std::string>> names_in(int folder, const std::string& path) {
    constexpr std::size_t k_most = 256;
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(::fcntl(folder, F_DUPFD_CLOEXEC, 0)),
                                                      ::closedir);
    if (!listing) return fail_errno(Code::policy_unreadable, subject(path));
    errno = 0;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a listing of our own
    while (const dirent* entry = ::readdir(listing.get())) {
        const std::string name = entry->d_name;
        if (!name.starts_with('.') && name.ends_with(".yaml")) names.push_back(name);
        if (names.size() > k_most)
            return fail(Code::policy_unreadable, subject(path) + ": more than 256 files");
    }
    if (errno != 0) return fail_errno(Code::policy_unreadable, subject(path));
    std::ranges::sort(names);
    return names;
}

Status read_drop_ins(const std::string& path, uid_t owner, std::vector<PolicyText>& into) {
    const File folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (folder.fd() < 0) {
        if (errno == ENOENT) return {};
        if (errno == ENOTDIR || errno == ELOOP)
            return fail(Code::policy_unreadable, subject(path) + ": expected a directory");
        return fail_errno(Code::policy_unreadable, subject(path));
    }
    CKPT_CHECK(check_trust(folder.fd(), S_IFDIR, path, owner));
    CKPT_TRY(const auto names, names_in(folder.fd(), path));
    for (const std::string& name : names)
        CKPT_CHECK(read_file(folder.fd(), name, path + "/" + name, owner, into));
    return {};
}

} // namespace

Result<Policy> load_policy(const std::string& path, uid_t owner) {
    std::vector<PolicyText> files;
    CKPT_CHECK(read_file(AT_FDCWD, path, path, owner, files));
    CKPT_CHECK(read_drop_ins(drop_ins_of(path), owner, files));
    if (files.empty()) return Policy{};
    return parse_policies(files);
}

} // namespace ckpt
