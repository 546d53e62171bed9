// SPDX-License-Identifier: GPL-2.0-or-later
#include "writer/user_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <format>

#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr mode_t k_mode = 0700;
constexpr mode_t k_parent_mode = 0711; // users pass through, and see nothing

Status give_away(int parent, const std::string& name, const Identity& user) {
    if (::mkdirat(parent, name.c_str(), k_mode) != 0)
        return errno == EEXIST ? Status() : Status(fail_errno(Code::os, "make the directory"));
    // Nobody but root can have put anything else in its place.
    if (::fchownat(parent, name.c_str(), user.uid, user.gid, AT_SYMLINK_NOFOLLOW) != 0) {
        auto failed = fail_errno(Code::os, "give the directory to the user");
        ::unlinkat(parent, name.c_str(), AT_REMOVEDIR);
        return failed;
    }
    return sync_fd(parent, "the directory above");
}

// Whoever made it could have it lead elsewhere later, and the generations would be gone.
Status check_link(const std::string& path) {
    struct stat st{};
    if (::lstat(path.c_str(), &st) != 0 || !S_ISLNK(st.st_mode) || st.st_uid == 0 || st.st_uid == ::geteuid())
        return {};
    return fail(Code::not_permitted, std::format("{} is a link that belongs to uid {}", path, st.st_uid),
                "whoever made it has to remove it, or an admin");
}

} // namespace

Result<Fd> open_as_root(const std::string& path, const Identity& user, bool make) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos || slash == 0) return fail(Code::not_permitted, path + ": too high up");
    const std::string above = path.substr(0, slash);
    const std::string name = path.substr(slash + 1);
    CKPT_TRY(const Fd parent, make ? make_trusted_dir(above, k_parent_mode) : open_trusted_dir(above));
    if (make) CKPT_CHECK(give_away(parent.get(), name, user));
    return open_beneath(parent.get(), name, O_RDONLY | O_DIRECTORY);
}

Result<Fd> open_as_user(const std::string& path, bool make) {
    for (std::size_t slash = path.find('/', 1); make; slash = path.find('/', slash + 1)) {
        const std::string part = path.substr(0, slash);
        if (::mkdir(part.c_str(), k_mode) != 0 && errno != EEXIST && ::access(part.c_str(), F_OK) != 0)
            return fail_errno(errno == ENOSPC || errno == EDQUOT ? Code::store_full : Code::os,
                              "make the directory " + part);
        if (slash == std::string::npos) break;
    }
    CKPT_CHECK(check_link(path));
    Fd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return fail_errno(errno == ENOENT ? Code::not_found : Code::os, "open the directory " + path);
    return dir;
}

Status check_user_dir(int dir, const std::string& path, uid_t uid) {
    struct stat st{};
    if (::fstat(dir, &st) != 0) return fail_errno(Code::os, "look at " + path);
    if (st.st_uid != uid)
        return fail(Code::not_permitted,
                    std::format("{} belongs to uid {}, not to the job's user", path, st.st_uid),
                    "whoever made it has to remove it, or an admin");
    if ((st.st_mode & 022U) != 0)
        return fail(Code::not_permitted, path + " is writable by others", "chmod go-w " + path);
    return {};
}

} // namespace ckpt
