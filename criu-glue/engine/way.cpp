// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/way.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <ranges>
#include <vector>

namespace ckpt {

namespace {

constexpr int k_links_max = 40; // as the kernel's MAXSYMLINKS
constexpr const char* k_hint = "remove it or have its owner put the directory back, or restart the job "
                               "without its checkpoint";

class Walk {
public:
    explicit Walk(const std::string& path) { add(path); }

    Result<Fd> to_directory(std::uint64_t inode) {
        CKPT_CHECK(start());
        while (!m_todo.empty())
            CKPT_CHECK(enter(next()));
        if (m_others && inode != 0 && m_at.st_ino != inode)
            return fail(Code::not_permitted,
                        m_path + " is not the directory that it was at the checkpoint, and others than the "
                                 "user could have changed that",
                        "have it put back, or restart the job without its checkpoint");
        return std::move(m_dir);
    }

    Result<Fd> to_file(int flags) {
        CKPT_CHECK(start());
        while (!m_todo.empty()) {
            const std::string name = next();
            if (!m_todo.empty()) {
                CKPT_CHECK(enter(name));
                continue;
            }
            Fd file(::openat(m_dir.get(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
            if (file) return file;
            if (errno != ELOOP) return cannot_open(name);
            CKPT_CHECK(follow(name));
        }
        return fail_errno(Code::os, "open " + m_path, EISDIR);
    }

private:
    Status start() {
        m_dir = Fd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
        m_path.clear();
        if (!m_dir || ::fstat(m_dir.get(), &m_at) != 0) return fail_errno(Code::os, "open /");
        return {};
    }

    void add(const std::string& path) {
        std::vector<std::string> names;
        for (const auto part : std::views::split(path, '/')) {
            std::string name(part.begin(), part.end());
            if (!name.empty() && name != ".") names.push_back(std::move(name));
        }
        m_todo.insert(m_todo.end(), names.rbegin(), names.rend());
    }

    std::string next() {
        std::string name = std::move(m_todo.back());
        m_todo.pop_back();
        return name;
    }

    // O_DIRECTORY, since nothing is mounted automatically for an O_PATH alone (fs/namei.c:follow_automount).
    Status enter(const std::string& name) {
        Fd dir(::openat(m_dir.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!dir && (errno == ENOTDIR || errno == ELOOP)) return follow(name);
        if (!dir) return cannot_open(name);
        m_others = m_others || others_may_rename_in(m_at, ::geteuid());
        m_path += "/" + name;
        if (::fstat(dir.get(), &m_at) != 0) return fail_errno(Code::os, "look at " + m_path);
        m_others = m_others || is_others(m_at);
        m_dir = std::move(dir);
        return {};
    }

    Status follow(const std::string& name) {
        const std::string path = m_path + "/" + name;
        const Fd link(::openat(m_dir.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        struct stat st{};
        if (!link || ::fstat(link.get(), &st) != 0) return cannot_open(name);
        if (!S_ISLNK(st.st_mode)) return fail_errno(Code::os, "open " + path, ENOTDIR);
        const bool roots = m_at.st_uid == 0 && !others_may_rename_in(m_at, 0);
        if (is_others(st) && !roots)
            return fail(Code::not_permitted, path + " is a symbolic link of another user's now", k_hint);
        if (++m_links > k_links_max) return fail_errno(Code::os, "open " + path, ELOOP);
        std::array<char, PATH_MAX> target{};
        const ssize_t n = ::readlinkat(link.get(), "", target.data(), target.size());
        if (n <= 0) return fail_errno(Code::os, "read the link " + path);
        m_others = m_others || others_may_rename_in(m_at, ::geteuid());
        if (target[0] == '/') CKPT_CHECK(start());
        add(std::string(target.data(), static_cast<std::size_t>(n)));
        return {};
    }

    [[nodiscard]] tl::unexpected<Error> cannot_open(const std::string& name) const {
        return fail_errno(errno == ENOENT ? Code::not_found : Code::os, "open " + m_path + "/" + name);
    }

    static bool is_others(const struct stat& st) { return st.st_uid != 0 && st.st_uid != ::geteuid(); }

    Fd m_dir;
    struct stat m_at{};              // of m_dir
    std::string m_path;              // to it
    std::vector<std::string> m_todo; // the last one is next
    int m_links = 0;
    bool m_others = false; // can have put something else in the place of what we are at
};

} // namespace

bool others_may_rename_in(const struct stat& directory, uid_t uid) {
    if (directory.st_uid != 0 && directory.st_uid != uid) return true;
    return (directory.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (directory.st_mode & S_ISVTX) == 0;
}

Result<Fd> open_way_to(const std::string& directory, std::uint64_t inode) {
    return Walk(directory).to_directory(inode);
}

Result<Fd> open_on_way(const std::string& path, int flags) {
    return Walk(path).to_file(flags);
}

std::int64_t birth_ns(int dir, const std::string& name) {
    struct statx st{};
    if (::statx(dir, name.c_str(), AT_EMPTY_PATH, STATX_BTIME, &st) != 0 || (st.stx_mask & STATX_BTIME) == 0)
        return 0;
    return std::int64_t{st.stx_btime.tv_sec} * 1'000'000'000 + st.stx_btime.tv_nsec;
}

} // namespace ckpt
