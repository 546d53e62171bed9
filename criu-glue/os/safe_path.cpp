// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/safe_path.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>

namespace ckpt {

namespace {

struct DirCloser {
    void operator()(DIR* dir) const { ::closedir(dir); }
};
using DirStream = std::unique_ptr<DIR, DirCloser>;

std::vector<std::string> components_of(const std::string& path) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at < path.size();) {
        const std::size_t end = std::min(path.find('/', at), path.size());
        if (end > at) parts.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

Status require_trusted(int dir, const std::string& path) {
    struct stat st{};
    if (::fstat(dir, &st) != 0) return fail_errno(Code::os, "look at " + path);
    if (st.st_uid != 0)
        return fail(Code::not_permitted,
                    path + " belongs to uid " + std::to_string(st.st_uid) + ", not to root",
                    "chown root " + path);
    if ((st.st_mode & 022) != 0)
        return fail(Code::not_permitted, path + " is writable by others than root", "chmod go-w " + path);
    return {};
}

// Walks from "/"; `enter` opens the next component beneath its parent.
Result<Fd> walk(const std::string& path, const std::function<Result<Fd>(int, const std::string&)>& enter) {
    if (path.empty() || path.front() != '/') return fail(Code::os, "not an absolute path: " + path);
    Fd dir(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return fail_errno(Code::os, "open /");
    std::string walked;
    for (const std::string& name : components_of(path)) {
        walked += "/" + name;
        auto next = enter(dir.get(), name);
        if (!next) {
            Error error = next.error();
            error.what = walked + ": " + error.what;
            return tl::unexpected(error);
        }
        dir = std::move(*next);
        CKPT_CHECK(require_trusted(dir.get(), walked));
    }
    return dir;
}

Result<Fd> open_readable_dir(const Fd& dir) {
    Fd readable(::openat(dir.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!readable) return fail_errno(Code::os, "open a directory");
    return readable;
}

} // namespace

Result<Fd> open_beneath(int dir, const std::string& path, int flags, mode_t mode) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    Fd fd(static_cast<int>(::syscall(SYS_openat2, dir, path.c_str(), &how, sizeof how)));
    if (!fd) return fail_errno(errno == ENOENT ? Code::not_found : Code::os, "open " + path);
    return fd;
}

Result<Fd> open_trusted_dir(const std::string& path) {
    CKPT_TRY(const Fd dir, walk(path, [](int parent, const std::string& name) {
                 return open_beneath(parent, name, O_PATH | O_DIRECTORY);
             }));
    return open_readable_dir(dir);
}

Result<Fd> make_trusted_dir(const std::string& path, mode_t mode) {
    CKPT_TRY(const Fd dir, walk(path, [mode](int parent, const std::string& name) -> Result<Fd> {
                 if (::mkdirat(parent, name.c_str(), mode) != 0 && errno != EEXIST)
                     return fail_errno(Code::os, "make the directory");
                 return open_beneath(parent, name, O_PATH | O_DIRECTORY);
             }));
    return open_readable_dir(dir);
}

Result<Fd> make_dir_beneath(int dir, const std::string& name, mode_t mode) {
    if (!is_plain_name(name)) return fail(Code::os, "not a plain name: " + name);
    if (::mkdirat(dir, name.c_str(), mode) != 0 && errno != EEXIST)
        return fail_errno(errno == ENOSPC || errno == EDQUOT ? Code::store_full : Code::os,
                          "make directory " + name);
    CKPT_TRY(Fd made, open_beneath(dir, name, O_RDONLY | O_DIRECTORY));
    struct stat st{};
    if (::fstat(made.get(), &st) != 0) return fail_errno(Code::os, "look at " + name);
    if (st.st_uid != ::geteuid())
        return fail(Code::not_permitted,
                    "directory " + name + " belongs to uid " + std::to_string(st.st_uid));
    return made;
}

Status for_each_name(int dir, const std::function<bool(const char* name)>& visit) {
    Fd copy(::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)); // an own offset
    if (!copy) return fail_errno(Code::os, "open a directory");
    const DirStream stream(::fdopendir(copy.get()));
    if (!stream) return fail_errno(Code::os, "read a directory");
    (void)copy.release(); // the stream owns it now
    for (;;) {
        errno = 0;
        const dirent* entry =
            ::readdir(stream.get()); // NOLINT(concurrency-mt-unsafe): one stream, one thread
        if (entry == nullptr) return errno == 0 ? Status() : Status(fail_errno(Code::os, "read a directory"));
        const bool is_name = std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0;
        if (is_name && !visit(entry->d_name)) return {};
    }
}

Result<std::vector<std::string>> list_dir(int dir, std::size_t max) {
    constexpr std::size_t k_each = 4;
    std::vector<std::string> names;
    std::size_t size = 0;
    CKPT_CHECK(for_each_name(dir, [&](const char* name) {
        names.emplace_back(name);
        size += names.back().size() + k_each;
        return size <= max;
    }));
    if (size > max)
        return fail_errno(
            Code::os, "read a directory with more than " + std::to_string(max) + " bytes of names", EFBIG);
    std::sort(names.begin(), names.end());
    return names;
}

bool is_plain_name(std::string_view name) {
    return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
           name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

} // namespace ckpt
