// SPDX-License-Identifier: GPL-2.0-or-later
#include "writer/user_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <format>

#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr mode_t k_mode = 0700;
constexpr mode_t k_others_write = 022;

Status give_away(Root /*root*/, int parent, const std::string& name, const JobUser& user) {
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

tl::unexpected<Error> missing_above(const std::string& path) {
    return tl::unexpected(Error{Code::os,
                                path + " does not exist, and only the last directory of a store is made",
                                "is its file system mounted on this node?", ENOENT});
}

tl::unexpected<Error> untrusted(const std::string& path, const std::string& why) {
    return fail(Code::not_permitted, path + " " + why, "whoever made it has to remove it, or an admin");
}

// The way down from the admin's directory, one name after the other, each opened beneath the one before.
class Walk {
public:
    Walk(const UserDir& dir, uid_t user) : m_make(dir.make), m_path(dir.path), m_user(user) {}

    Result<Fd> run(const std::string& admins) {
        m_at = Fd(::open(admins.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!m_at && errno == ENOENT) return missing_above(admins);
        if (!m_at) return fail_errno(Code::os, "open the directory " + admins);
        if (::fstat(m_at.get(), &m_stat) != 0) return fail_errno(Code::os, "look at " + admins);
        m_admin = m_stat.st_uid;
        for (std::size_t begin = admins == "/" ? 1 : admins.size() + 1; begin < m_path.size();) {
            const std::size_t end = std::min(m_path.find('/', begin), m_path.size());
            const bool is_last = end == m_path.size();
            CKPT_CHECK(enter(m_path.substr(begin, end - begin), m_path.substr(0, end), is_last));
            begin = end + 1;
        }
        Fd readable(::openat(m_at.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!readable) return fail_errno(Code::os, "open the directory " + m_path);
        return readable;
    }

private:
    Status enter(const std::string& name, const std::string& so_far, bool is_last) {
        struct stat st{};
        bool there = ::fstatat(m_at.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0;
        if (!there && errno != ENOENT) return fail_errno(Code::os, "look at " + so_far);
        if (!there && !is_last) return missing_above(so_far);
        if (!there && !m_make) return fail_errno(Code::not_found, "open the directory " + so_far, ENOENT);
        if (!there) CKPT_CHECK(make(name, so_far));
        const bool link = there && S_ISLNK(st.st_mode);
        if (link) CKPT_CHECK(check_link(st, so_far));
        Fd next(
            ::openat(m_at.get(), name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | (link ? 0 : O_NOFOLLOW)));
        if (!next) return fail_errno(Code::os, "open the directory " + so_far);
        if (::fstat(next.get(), &m_stat) != 0) return fail_errno(Code::os, "look at " + so_far);
        m_at = std::move(next);
        return is_last ? Status{} : check_dir(so_far); // of the last check_user_dir() asks for more
    }

    Status make(const std::string& name, const std::string& so_far) {
        if (::mkdirat(m_at.get(), name.c_str(), k_mode) != 0 && errno != EEXIST)
            return fail_errno(errno == ENOSPC || errno == EDQUOT ? Code::store_full : Code::os,
                              "make the directory " + so_far);
        const Fd above(::openat(m_at.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        return above ? sync_fd(above.get(), "the directory above") : Status{};
    }

    // Whoever made it could have it lead elsewhere later, and the generations would be gone.
    Status check_link(const struct stat& link, const std::string& path) const {
        if (link.st_uid != 0)
            return untrusted(path, std::format("is a link that belongs to uid {}", link.st_uid));
        if (m_stat.st_uid != 0 || (m_stat.st_mode & k_others_write) != 0)
            return untrusted(path, "is a link in a directory that is not root's alone");
        return {};
    }

    Status check_dir(const std::string& path) const {
        const uid_t owner = m_stat.st_uid;
        if (owner != 0 && owner != m_user && owner != m_admin)
            return untrusted(path, std::format("belongs to uid {}, not to the job's user", owner));
        if ((m_stat.st_mode & k_others_write) != 0 && (m_stat.st_mode & S_ISVTX) == 0)
            return fail(Code::not_permitted, path + " is writable by others", "chmod go-w " + path);
        return {};
    }

    bool m_make;
    const std::string& m_path;
    uid_t m_user;
    uid_t m_admin = 0;
    Fd m_at;              // where it is
    struct stat m_stat{}; // of it
};

} // namespace

Result<Fd> open_as_root(Root root, const UserDir& dir, const JobUser& user) {
    const std::size_t slash = dir.path.rfind('/');
    if (slash == std::string::npos || slash == 0)
        return fail(Code::not_permitted, dir.path + ": too high up");
    const std::string above = dir.path.substr(0, slash);
    const std::string name = dir.path.substr(slash + 1);
    const auto parent = open_trusted_dir(above);
    if (!parent && parent.error().code == Code::not_found) return missing_above(above);
    if (!parent) return tl::unexpected(parent.error());
    if (dir.make) CKPT_CHECK(give_away(root, parent->get(), name, user));
    return open_beneath(parent->get(), name, O_RDONLY | O_DIRECTORY);
}

Result<Fd> open_as_user(const UserDir& dir, uid_t user) {
    const bool is_above = dir.admins == "/" || dir.path.starts_with(dir.admins + "/");
    return Walk(dir, user).run(is_above ? dir.admins : "/");
}

Status check_user_dir(int dir, const std::string& path, uid_t uid) {
    struct stat st{};
    if (::fstat(dir, &st) != 0) return fail_errno(Code::os, "look at " + path);
    if (st.st_uid != uid)
        return untrusted(path, std::format("belongs to uid {}, not to the job's user", st.st_uid));
    if ((st.st_mode & k_others_write) != 0)
        return fail(Code::not_permitted, path + " is writable by others", "chmod go-w " + path);
    return {};
}

} // namespace ckpt
