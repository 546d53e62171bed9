// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/lease_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <format>

#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt::store {
namespace {

constexpr int k_flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

tl::unexpected<Error> failed(const std::string& name) {
    return fail_errno(Code::os, "lease " + name);
}

// A file that another node has removed while this one had it open or cached is ESTALE on NFS.
bool is_gone(int errnum) {
    return errnum == ENOENT || errnum == ESTALE;
}

// On the file server when it returns. False: the file is gone.
Result<bool> put(int fd, const std::string& name, const std::string& text) {
    const ssize_t written = ::pwrite(fd, text.data(), text.size(), 0);
    if (written >= 0 && static_cast<std::size_t>(written) != text.size()) errno = EIO;
    const bool done = written == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
    if (done) return true;
    if (is_gone(errno)) return false;
    return failed(name);
}

} // namespace

Result<std::vector<std::string>> DirLeaseFiles::list() {
    return list_dir(m_dir.get());
}

// O_EXCL is one atomic operation of the server, on NFS since version 3, and one whose answer may get lost and
// be asked for again, which link(2) is not.
Result<bool> DirLeaseFiles::create(const std::string& name, const std::string& text) {
    const Fd fd(::openat(m_dir.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | k_flags, 0600));
    if (!fd && errno == EEXIST) return false;
    if (!fd) return failed(name);
    if (text.empty()) return true;
    const auto done = put(fd.get(), name, text);
    // Left there it would keep others out for nothing.
    if (!done) ::unlinkat(m_dir.get(), name.c_str(), 0);
    return done;
}

Result<bool> DirLeaseFiles::write(const std::string& name, const std::string& text) {
    const Fd fd(::openat(m_dir.get(), name.c_str(), O_WRONLY | k_flags));
    if (!fd && is_gone(errno)) return false;
    if (!fd) return failed(name);
    return put(fd.get(), name, text);
}

Result<std::optional<std::string>> DirLeaseFiles::read(const std::string& name) {
    const Fd fd(::openat(m_dir.get(), name.c_str(), O_RDONLY | k_flags));
    if (!fd && is_gone(errno)) return std::nullopt;
    if (!fd) return failed(name);
    std::array<char, k_text_max> text{};
    const ssize_t got = ::pread(fd.get(), text.data(), text.size(), 0);
    if (got < 0 && is_gone(errno)) return std::nullopt;
    if (got < 0) return failed(name);
    return std::string(text.data(), static_cast<std::size_t>(got));
}

Status DirLeaseFiles::remove(const std::string& name) {
    if (::unlinkat(m_dir.get(), name.c_str(), 0) == 0 || is_gone(errno)) return {};
    return failed(name);
}

Result<Fd> open_lease_dir(const std::string& path) {
    Fd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!dir) return fail_errno(Code::os, "cannot open the directory for leases " + path);
    struct stat st{};
    if (::fstat(dir.get(), &st) != 0)
        return fail_errno(Code::os, "cannot open the directory for leases " + path);
    if (st.st_uid != ::geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail(Code::not_permitted,
                    std::format("the directory for leases {} has uid {} and mode {:04o}, expected uid {} and "
                                "nobody else who may write",
                                path, st.st_uid, st.st_mode & 07777U, ::geteuid()),
                    "see admission.leases in the policy");
    return dir;
}

} // namespace ckpt::store
