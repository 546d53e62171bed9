// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_at_once = 1024; // names that are remembered of each directory on the way down
constexpr int k_depth_max = 16;         // and directories that are open

// Users nest directories as deep as they like. What lies deeper than k_depth_max is moved up, beside what
// lies right in the tree's root, and comes from there: neither descriptors nor stack grow with the depth.
class TreeRemoval {
public:
    explicit TreeRemoval(int dir) : m_dir(dir) {}

    Status run(const std::string& name) { return remove(m_dir, name, 0); }

private:
    // `depth`: how many directories of the tree are above it.
    Status remove(int dir, const std::string& name, int depth) {
        if (::unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT) return {};
        if (errno != EISDIR && errno != EPERM) return fail_errno(Code::os, "remove " + name);
        if (::unlinkat(dir, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
        if (errno != ENOTEMPTY && errno != EEXIST) return fail_errno(Code::os, "remove directory " + name);
        if (depth == k_depth_max) return move_up(dir, name);
        {
            const auto sub = open_beneath(dir, name, O_RDONLY | O_DIRECTORY);
            if (!sub && sub.error().code == Code::not_found) return {};
            if (!sub) return tl::unexpected(sub.error());
            if (depth == 0) m_root = sub->get();
            CKPT_CHECK(empty(sub->get(), depth + 1));
        }
        if (::unlinkat(dir, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
            return fail_errno(Code::os, "remove directory " + name);
        return {};
    }

    Status empty(int dir, int depth) {
        for (;;) { // however many there are
            std::vector<std::string> some;
            CKPT_CHECK(for_each_name(dir, [&](const char* entry) {
                some.emplace_back(entry);
                return some.size() < k_at_once;
            }));
            if (some.empty()) return {};
            for (const std::string& entry : some)
                CKPT_CHECK(remove(dir, entry, depth));
        }
    }

    // What may be in its place there is to be removed as well, so an empty directory may be replaced.
    Status move_up(int dir, const std::string& name) {
        for (;;) {
            const std::string up = ".moved-" + std::to_string(m_moved++);
            if (::renameat(dir, name.c_str(), m_root, up.c_str()) == 0 || errno == ENOENT) return {};
            if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
                return fail_errno(Code::os, "move the directory " + name + " up");
        }
    }

    int m_dir;
    int m_root = -1; // the tree's, while it is open
    unsigned long m_moved = 0;
};

} // namespace

Status remove_tree(int dir, const std::string& name) {
    if (!is_plain_name(name)) return fail(Code::os, "not a plain name: " + name);
    return TreeRemoval(dir).run(name);
}

} // namespace ckpt
