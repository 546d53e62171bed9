// SPDX-License-Identifier: GPL-2.0-or-later
// The way to a file of the user's, walked as the user. Paths on record come from /proc and have no symbolic
// links in them; whoever has a directory on the way may have put one there since, or another directory.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

// Opens a directory, O_PATH. A symbolic link on the way has to be the user's own or root's, or lie in a
// directory that is root's and writable by nobody else; else Code::not_permitted names it. Where others can
// have put another directory in its place, it has to have `inode`, which it had at the dump; 0 = not known,
// and any will do. Code::not_found.
Result<Fd> open_way_to(const std::string& directory, std::uint64_t inode);

// Opens what is at the end of such a way.
Result<Fd> open_on_way(const std::string& path, int flags);

// Whether somebody else than `uid` and root may give the names in such a directory to something else.
bool others_may_rename_in(const struct stat& directory, uid_t uid);

// When an inode was made, Unix time; 0 = its file system or the kernel does not tell. It never changes, and
// is the same on every node: two files with one inode number in different file systems, or one after the
// other in the same, are not taken for the same file. `name` as in statx(2); empty: `dir` itself.
std::int64_t birth_ns(int dir, const std::string& name);
// Not known for one of them: they count as the same.
constexpr bool may_be_born_alike(std::int64_t one, std::int64_t other) {
    return one == 0 || other == 0 || one == other;
}

} // namespace ckpt
